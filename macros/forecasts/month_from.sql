{% macro month_from(day) -%}
    {#- the first day of a month, on that day or after it -#}
    (date_trunc('month', ({{ day }} - 1)::timestamp) + interval '1 month')::date
{%- endmacro %}


{% macro month_to(day) -%}
    {#- the first day of a month, on that day or before it -#}
    date_trunc('month', ({{ day }})::timestamp)::date
{%- endmacro %}


{% macro months_between(day, later_day) -%}
    {#- between the first days of two months -#}
    (
        (extract(year from {{ later_day }}) - extract(year from {{ day }})) * 12
        + extract(month from {{ later_day }}) - extract(month from {{ day }})
    )::integer
{%- endmacro %}
