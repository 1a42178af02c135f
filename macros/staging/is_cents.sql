{% macro is_cents(column) -%}
    {#- as an amount; a bigint holds the sum of 90,000 such rows -#}
    ({{ column }} between -99999999999999 and 99999999999999)
{%- endmacro %}
