{% macro is_amount(column) -%}
    {#- NaN is greater than any number -#}
    ({{ column }} > -1e12 and {{ column }} < 1e12)
{%- endmacro %}
