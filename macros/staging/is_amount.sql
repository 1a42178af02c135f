{% macro is_amount(column) -%}
    {#- to the last cent, for what is rounded must still fit; NaN is greater than any number -#}
    ({{ column }} between -999999999999.99 and 999999999999.99)
{%- endmacro %}
