{% macro within_exp(exponent) -%}
    {#- beyond these exp() is an error in PostgreSQL, and a probability is 0 or 1 long before -#}
    greatest(-700, least(700, {{ exponent }}))
{%- endmacro %}
