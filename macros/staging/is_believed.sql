{% macro is_believed(column) -%}
    {#- the bounds take the type of the column: the last dates are no timestamps -#}
    (
        {{ column }} >= '{{ var("earliest_timestamp") }}'
        and {{ column }} < '{{ var("latest_timestamp") }}'
    )
{%- endmacro %}
