{% macro half_up(value, digits) -%}
    {#- six decimals first: sums of thirds may end just below a half -#}
    round(round({{ value }}, 6), {{ digits }})
{%- endmacro %}
