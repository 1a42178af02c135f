{% macro within_digits(number, digits, decimals) -%}
    {#- least and greatest take a bound for NULL, hence the case -#}
    case
        when {{ number }} is not null
            then
                least(
                    greatest({{ number }}, -1e{{ digits - decimals }} + 1e-{{ decimals }}),
                    1e{{ digits - decimals }} - 1e-{{ decimals }}
                )
    end::numeric({{ digits }}, {{ decimals }})
{%- endmacro %}
