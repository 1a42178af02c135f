{% macro columns_wanted_of(name) -%}
    {#- as the yml has them, also where a model of another project takes the input's place -#}
    {%- set node = graph.get('nodes', {}).get('model.customer_health.' ~ name) if execute -%}
    {{ return(node.columns if node else {'*': {'name': '*'}}) }}
{%- endmacro %}
