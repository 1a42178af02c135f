{% macro exact_ratio(part, whole) -%}
    {#- forty decimals: half_up() tells from that what is a half and what is not -#}
    (round({{ part }}, 40) / {{ whole }})
{%- endmacro %}
