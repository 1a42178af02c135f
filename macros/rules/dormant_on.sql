{% macro dormant_on(expected_on, dormant_days) -%}
    {{ expected_on }} + {{ dormant_days }}
{%- endmacro %}
