{% macro month_from(day) -%}
    {#- the first day of a month, on that day or after it -#}
    (date_trunc('month', ({{ day }} - 1)::timestamp) + interval '1 month')::date
{%- endmacro %}
