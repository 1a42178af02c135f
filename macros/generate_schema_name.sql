{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ customer_health.our_schema((custom_schema_name or target.schema) | trim) }}
{%- endmacro %}
