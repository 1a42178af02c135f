{% macro is_worse(new, old) -%}
    {#- false if one of them is not in the list, as on the first write-back -#}
    {%- set worse = [
        'HEALTHY', 'AT_RISK_REVENUE', 'AT_RISK_CADENCE', 'DORMANT',
        'ACTIVE', 'TARGET', 'PROSPECT',
    ] -%}
    coalesce(
        array_position({{ text_array(worse) }}, {{ new }})
        > array_position({{ text_array(worse) }}, {{ old }}),
        false
    )
{%- endmacro %}
