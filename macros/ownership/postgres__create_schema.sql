{% macro postgres__create_schema(relation) -%}
    {#- dbt calls it if the schema is missing; a schema of ours gets our mark -#}
    {%- set schema = relation.without_identifier().include(database=false) -%}
    {%- call statement('create_schema') -%}
        create schema if not exists {{ schema }};
        comment on schema {{ schema }} is '{{ customer_health.our_mark() ~ relation.schema }}'
    {%- endcall -%}
{%- endmacro %}
