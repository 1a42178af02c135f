{% macro our_mark() -%}
    {#- with the prefix, so that environments in one database leave each other alone -#}
    {{ return(customer_health.our_schema('customer_health') ~ ': ') }}
{%- endmacro %}
