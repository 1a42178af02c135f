{% macro passed_on(day, days) -%}
    {{ day }} + {{ days }} + 1
{%- endmacro %}
