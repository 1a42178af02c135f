{% macro rows_left_out(table, key, parent, parent_key, because) -%}
    select
        '{{ table }}' as "table",
        {{ table }}.{{ key }}::text as key,
        {{ table }}.{{ parent_key[0] }}::text as tenant,
        coalesce({{ table }}.quarantine_reason, '{{ because }}') as reason
    from {{ table }}
    left join {{ parent }}
        on
            {{ same(table, parent, parent_key) }}
            and {{ parent }}.is_valid
    where
        not {{ table }}.is_valid
        or {{ parent }}.{{ parent_key[-1] }} is null
{%- endmacro %}
