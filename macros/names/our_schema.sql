{% macro our_schema(name) -%}
    {#- with the prefix, where several environments share one database -#}
    {{ return((var('schema_prefix', none) or '') ~ name) }}
{%- endmacro %}
