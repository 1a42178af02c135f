{% macro percentage(part, whole) -%}
    {#- one decimal, half up; 0.0 if the whole is 0 -#}
    coalesce(round(100.0 * {{ part }} / nullif({{ whole }}, 0), 1), 0)::numeric(4, 1)
{%- endmacro %}
