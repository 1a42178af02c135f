{% macro half_up(value, digits) -%}
    {#- six decimals first: they make a half of what sums of thirds leave just below it -#}
    round(round({{ value }}, 6), {{ digits }})
{%- endmacro %}
