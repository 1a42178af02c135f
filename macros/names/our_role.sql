{% macro our_role(duty) -%}
    {{ return(our_schema('customer_health_') ~ duty) }}
{%- endmacro %}
