{% macro published(mart) -%}
    {#- no ref: the scope reads what the marts of the refresh before hold -#}
    {%- set node = graph.nodes['model.customer_health.' ~ mart] if execute -%}
    {%- if node and is_there(node.schema, node.alias) -%}
        {{ node.relation_name }}
    {%- else -%}
        (
            select
                {%- for column in (node.columns.values() if node else []) %}
                null::{{ column.data_type }} as {{ column.name }}
                {{- ',' if not loop.last }}
                {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}
