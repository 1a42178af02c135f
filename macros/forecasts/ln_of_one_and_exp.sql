{% macro ln_of_one_and_exp(exponent) -%}
    {#- ln(1 + e^x), however large x is -#}
    (
        greatest(0, {{ exponent }})
        + ln(1 + exp(greatest(-700, -abs({{ exponent }}))))
    )
{%- endmacro %}
