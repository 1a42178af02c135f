{% macro in_operations(name) -%}
    {#-
    an object that the commands create in operations, which is no model, by its name in
    this environment
    -#}
    {{ return(customer_health.our_schema('operations') ~ '.' ~ name) }}
{%- endmacro %}
