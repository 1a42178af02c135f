{% macro month_to(day) -%}
    {#- the first day of a month, on that day or before it -#}
    date_trunc('month', ({{ day }})::timestamp)::date
{%- endmacro %}
