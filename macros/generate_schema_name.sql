{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ our_schema((custom_schema_name or target.schema) | trim) }}
{%- endmacro %}
