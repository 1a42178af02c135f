{% macro exact_ratio(part, whole) -%}
    {#- forty decimals, so that half_up() can tell exact halves from others -#}
    (round({{ part }}, 40) / {{ whole }})
{%- endmacro %}
