{% macro marts_of(publication) -%}
    {#- the nodes of the tables that this model publishes, by name -#}
    {%- set found = {} -%}
    {%- for node in graph.nodes.values()
        if node.config.materialized == 'published_table'
        and publication.unique_id in node.depends_on.nodes
    -%}
        {%- do found.update({node.name: node}) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
