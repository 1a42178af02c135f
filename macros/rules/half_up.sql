{% macro half_up(value, digits) -%}
    {#-
    The only place where a figure is rounded. A third has no end, so sums of thirds may miss
    their half by what lies behind the fortieth decimal (exact_ratio): thirty decimals make it
    one again, and nothing else.
    -#}
    round(round({{ value }}, 30), {{ digits }})
{%- endmacro %}
