{% macro fence() -%}
    {#-
    Goes at the end of a subquery, so that PostgreSQL computes its columns once and not
    for each use. Citus refuses it in subqueries that it sends to its nodes.
    -#}
    {{- 'offset 0' if not var('citus') -}}
{%- endmacro %}
