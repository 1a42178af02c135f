{% macro our_mark() -%}
    {#- with the prefix: environments in one database keep to their own -#}
    {{ return(customer_health.our_schema('customer_health') ~ ': ') }}
{%- endmacro %}
