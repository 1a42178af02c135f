{% macro meta_of_input(name) -%}
    {#- the meta in our yml, even if a model of another project replaces the input -#}
    {%- set node = graph.get('nodes', {}).get('model.customer_health.' ~ name) if execute -%}
    {{ return(node.config.meta if node else {'key': ['given']}) }}
{%- endmacro %}
