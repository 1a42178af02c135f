{% macro is_plausible(column) -%}
    {#-
    the bounds are cast to the column's type, because the last dates are not valid
    timestamps
    -#}
    (
        {{ column }} >= '{{ var("earliest_timestamp") }}'
        and {{ column }} < '{{ var("latest_timestamp") }}'
    )
{%- endmacro %}
