{% macro always_or_never(condition) -%}
    {#-
    the critical value if the limit decides nothing: above all values, or below all
    -#}
    case
        when {{ condition }} then {{ more_days_than_any() }}
        else -{{ more_days_than_any() }}
    end
{%- endmacro %}
