{% macro plausible(column) -%}
    {#- a date that a row can do without: it is lost, and rows_that_lost_dates() says so -#}
    case when {{ is_plausible(column) }} then {{ column }} end
{%- endmacro %}
