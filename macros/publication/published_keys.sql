{% macro published_keys() -%}
select
    table_schema,
    table_name,
    column_name
from (
    values
    (null::name, null::name, null::name)
    {%- if execute %}
    {%- for node in graph.nodes.values()
        | selectattr('config.materialized', 'equalto', 'published_table') %}
    {%- for column in node.config.unique_key %},
    ('{{ node.schema }}', '{{ node.alias }}', '{{ column }}')
    {%- endfor %}
    {%- endfor %}
    {%- endif %}
) as key_columns (table_schema, table_name, column_name)
where table_name is not null
{%- endmacro %}
