{% macro meta_of_input(name) -%}
    {#- what the yml says of its rows, also where a model of another project has its place -#}
    {%- set node = graph.get('nodes', {}).get('model.customer_health.' ~ name) if execute -%}
    {{ return(node.config.meta if node else {'key': ['given']}) }}
{%- endmacro %}
