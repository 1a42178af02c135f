{% macro rows_that_lost_dates(table, key, parent, parent_key) -%}
    select
        '{{ table }}' as "table",
        {{ table }}.{{ key }}::text as key,
        {{ table }}.{{ parent_key[0] }}::text as tenant,
        lost.date_column || '_out_of_range' as reason
    from {{ table }}
    inner join {{ parent }}
        on
            {{ same(table, parent, parent_key) }}
            and {{ parent }}.is_valid
    cross join string_to_table({{ table }}.lost_dates, ',') as lost (date_column)
    where {{ table }}.is_valid
{%- endmacro %}
