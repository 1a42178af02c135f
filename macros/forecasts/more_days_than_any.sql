{% macro more_days_than_any() -%}
    {#- no history and no limit has so many: 2737 years -#}
    1000000
{%- endmacro %}
