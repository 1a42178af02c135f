{% macro ours(relation) -%}
    {#-
    A generic test in a yml reads its model through
    `{{ get_where_subquery(ref('tenants')) }}`, which dbt parses only with the macros
    that the test names. Without a macro of ours it would use dbt's own ref, and so a
    model of that name in the project that uses this one as a package.
    -#}
    {%- if false -%} {{ customer_health.ref() }} {%- endif -%}
    {{ relation }}
{%- endmacro %}
