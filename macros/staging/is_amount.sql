{% macro is_amount(column) -%}
    {#-
    below the limit by a cent, because the rounded value must still fit; NaN is greater
    than any number
    -#}
    ({{ column }} between -999999999999.99 and 999999999999.99)
{%- endmacro %}
