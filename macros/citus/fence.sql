{% macro fence() -%}
    {#-
    At the end of a subquery: what it computes is worked out once, not again for each use. Citus
    refuses it where it sends the subquery to its nodes.
    -#}
    {{- 'offset 0' if not var('citus') -}}
{%- endmacro %}
