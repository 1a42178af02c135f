{% macro published(mart) -%}
    {#- no ref: the scope reads what the marts of the refresh before hold -#}
    {%- set found = namespace(node=none) -%}
    {%- for node in (graph.nodes.values() if execute else []) -%}
        {%- if node.name == mart -%} {%- set found.node = node -%} {%- endif -%}
    {%- endfor -%}
    {%- if found.node and is_there(found.node.schema, found.node.alias) -%}
        {{ found.node.relation_name }}
    {%- else -%}
        (
            select
                {%- for column in (found.node.columns.values() if found.node else []) %}
                null::{{ column.data_type }} as {{ column.name }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}
