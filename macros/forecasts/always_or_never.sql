{% macro always_or_never(condition) -%}
    {#- the critical value of what a limit does not decide: all values are up to it, or none -#}
    case when {{ condition }} then 1000000 else -1000000 end
{%- endmacro %}
