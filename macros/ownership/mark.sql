{% macro mark(relation, kind='table', node=none) -%}
    {#-
    What tells a relation of ours from those of others: its comment begins with these words.
    It survives a dump, and costs nothing where it is set with what makes the relation.
    -#}
    comment on {{ kind }} {{ relation }} is '{{ mark_of(node or model) }}'
{%- endmacro %}


{% macro mark_of(node) -%}
    {#- the first sentence of its description follows, for who looks at it in psql -#}
    {%- set description = (node.description or node.name).split() | join(' ') -%}
    {{- our_mark() ~ description.split('. ')[0].rstrip('.') | replace("'", "''") ~ '.' -}}
{%- endmacro %}


{% macro our_mark() -%}
    {{ return('customer_health: ') }}
{%- endmacro %}
