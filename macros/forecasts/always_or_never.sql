{% macro always_or_never(condition) -%}
    {#- the critical value of what a limit does not decide: all values are up to it, or none -#}
    case
        when {{ condition }} then {{ more_days_than_any() }}
        else -{{ more_days_than_any() }}
    end
{%- endmacro %}
