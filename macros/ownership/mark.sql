{% macro mark(relation, kind='table', node=none) -%}
    {#-
    What tells a relation of ours from those of others: its comment begins with these words.
    It survives a dump, and costs nothing where it is set with what makes the relation.
    -#}
    comment on {{ kind }} {{ relation }} is '{{ customer_health.mark_of(node or model) }}'
{%- endmacro %}


{% macro mark_of(node) -%}
    {#-
    A model's system follows, by which its row security goes (flows/sql/row_security.sql), and
    the first sentence of its description, for who looks at it in psql.
    -#}
    {%- set description = (node.description or node.name).split() | join(' ') -%}
    {%- set system = node.fqn[1] ~ ': ' if node.resource_type == 'model' else '' -%}
    {{- customer_health.our_mark() ~ system ~ description.split('. ')[0].rstrip('.') | replace("'", "''") ~ '.' -}}
{%- endmacro %}
