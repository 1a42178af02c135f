{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {#-
    An input of ours leaves its name to the one that takes its place, in a project that has this
    one as a package: dbt allows no two relations of one name, though it is never made.
    -#}
    {%- if project_name != 'customer_health' and node.package_name == 'customer_health'
        and node.resource_type == 'model' and node.name.startswith('input_')
    -%}
        {{ return('package_' ~ node.name) }}
    {%- endif -%}
    {{ return(default__generate_alias_name(custom_alias_name, node)) }}
{%- endmacro %}
