{% macro rows_left_out(table, key, parents) -%}
    {#- of several reasons the first: its own, then its parents' in their order -#}
    select
        '{{ table }}' as "table",
        {{ table }}.{{ key }}::text as key,
        {{ table }}.{{ parents[0][1][0] }}::text as tenant,
        coalesce(
            {{ table }}.quarantine_reason,
            case
                {%- for parent, parent_key, because in parents %}
                when {{ parent }}.{{ parent_key[-1] }} is null then '{{ because }}'
                {%- endfor %}
            end
        ) as reason
    from {{ table }}
    {%- for parent, parent_key, because in parents %}
    left join {{ parent }}
        on
            {{ same(table, parent, parent_key) }}
            and {{ parent }}.is_valid
    {%- endfor %}
    where
        not {{ table }}.is_valid
        {%- for parent, parent_key, because in parents %}
        or {{ parent }}.{{ parent_key[-1] }} is null
        {%- endfor %}
{%- endmacro %}
