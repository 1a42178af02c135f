{% macro half_up(value, digits) -%}
    {#-
    The only place where a figure is rounded. A third has infinitely many decimals, so
    sums of thirds may miss an exact half after the fortieth decimal (exact_ratio):
    rounding to thirty decimals restores that half and changes nothing else.
    -#}
    round(round({{ value }}, 30), {{ digits }})
{%- endmacro %}
