{% macro contract_parts(mart) -%}
select
    part,
    definition
from (
    values
    (null, null)
    {%- if execute %}
    {%- set node = graph.nodes['model.customer_health.' ~ mart.identifier] %}
    {%- for column in node.columns.values() %},
    ('column {{ column.name }}', '{{ column.data_type }}'::regtype::text)
    {%- endfor %},
    ('index {{ node.config.unique_key | join(", ") }}', 'unique')
    {%- for index in node.config.get('indexes', []) %},
    ('index {{ index.columns | join(", ") }}', '{{ index.type or "btree" }}')
    {%- endfor %}
    {%- endif %}
) as parts (part, definition)
where part is not null
{%- endmacro %}
