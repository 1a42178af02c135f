{% macro newcombe(one, other, side) -%}
    {#- one, other: names of columns <name>_share and <name>_trials; side: - or + -#}
    {%- set opposite = '+' if side == '-' else '-' -%}
    {{ one }}_share - {{ other }}_share {{ side }} sqrt(
        ({{ wilson(one ~ '_share', one ~ '_trials', side) }} - {{ one }}_share) ^ 2
        + ({{ wilson(other ~ '_share', other ~ '_trials', opposite) }} - {{ other }}_share) ^ 2
    )
{%- endmacro %}
