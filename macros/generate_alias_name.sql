{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {#-
    dbt knows no two relations of one name: as a package, inputs of ours have another one, for
    those of the project may take their place.
    -#}
    {%- if node.fqn[2] == 'inputs' and project_name != 'customer_health' -%}
        {{ return('default_' ~ node.name) }}
    {%- endif -%}
    {{ return(custom_alias_name | trim if custom_alias_name else node.name) }}
{%- endmacro %}
