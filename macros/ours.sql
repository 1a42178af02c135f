{% macro ours(relation) -%}
    {#-
    A yml's test has its model as `{{ get_where_subquery(ref('tenants')) }}`, which dbt parses
    with those macros only that the test names. Without one that names ours, it would be dbt's
    own ref, and so a model of that name in the project that takes this one as a package.
    -#}
    {%- if false -%} {{ customer_health.ref() }} {%- endif -%}
    {{ relation }}
{%- endmacro %}
