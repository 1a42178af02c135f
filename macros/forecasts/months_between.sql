{% macro months_between(day, later_day) -%}
    {#- between the first days of two months -#}
    (
        (extract(year from {{ later_day }}) - extract(year from {{ day }})) * 12
        + extract(month from {{ later_day }}) - extract(month from {{ day }})
    )::integer
{%- endmacro %}
