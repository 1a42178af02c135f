{% macro our_role(duty) -%}
    {{ return(customer_health.our_schema('customer_health_') ~ duty) }}
{%- endmacro %}
