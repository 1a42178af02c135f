{% macro is_switched_on(node) -%}
    {#- whether the system, and what else it needs, is there to be read -#}
    {%- set switches = [node.config.meta.needs] if node.config.meta.needs else [] -%}
    {%- if node.fqn[2] in ['inputs', 'staging'] -%}
        {%- do switches.append(node.fqn[1] ~ '_enabled') -%}
    {%- endif -%}
    {%- for switch in switches if not var(switch, true) -%} {{ return(false) }} {%- endfor -%}
    {{ return(true) }}
{%- endmacro %}
