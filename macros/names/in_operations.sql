{% macro in_operations(name) -%}
    {#- what the commands make there, and so no model, by the name that it has here -#}
    {{ return(customer_health.our_schema('operations') ~ '.' ~ name) }}
{%- endmacro %}
