{#- dbt looks for these macros only here; each calls that of customer_health. -#}
{% materialization test, adapter='postgres' %}
    {{ return(customer_health.materialization_test_postgres()) }}
{% endmaterialization %}

{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ return(customer_health.generate_schema_name(custom_schema_name, node)) }}
{%- endmacro %}

{% macro postgres__create_schema(relation) -%}
    {{ return(customer_health.postgres__create_schema(relation)) }}
{%- endmacro %}

{% macro postgres__truncate_relation(relation) -%}
    {{ return(customer_health.postgres__truncate_relation(relation)) }}
{%- endmacro %}
