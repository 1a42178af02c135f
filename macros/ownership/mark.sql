{% macro mark(relation, kind='table', node=none) -%}
    {#-
    Marks a relation as ours: its comment begins with these words. The mark survives a
    dump, and costs nothing if it is set together with the relation.
    -#}
    comment on {{ kind }} {{ relation }} is '{{ customer_health.mark_of(node or model) }}'
{%- endmacro %}


{% macro mark_of(node) -%}
    {#-
    The model's system follows, which its row security uses
    (flows/sql/row_security.sql), and the first sentence of its description, for people
    in psql.
    -#}
    {%- set description = (node.description or node.name).split() | join(' ') -%}
    {%- set system = node.fqn[1] ~ ': ' if node.resource_type == 'model' else '' -%}
    {{- customer_health.our_mark() ~ system ~ description.split('. ')[0].rstrip('.') | replace("'", "''") ~ '.' -}}
{%- endmacro %}
