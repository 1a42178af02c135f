{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {#-
    dbt knows no two relations of one name: as a package, where inputs and thresholds of the
    project take the place of ours, those have another name.
    -#}
    {%- set gives_way = node.fqn[2] == 'inputs' or node.name == 'risk_thresholds' -%}
    {%- if gives_way and project_name != 'customer_health' -%}
        {{ return('default_' ~ node.name) }}
    {%- endif -%}
    {{ return(custom_alias_name | trim if custom_alias_name else node.name) }}
{%- endmacro %}
