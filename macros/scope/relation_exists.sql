{% macro relation_exists(schema, identifier) -%}
    {%- if not execute or var('checks_inputs', false) -%} {{ return(false) }} {%- endif -%}
    {%- set found = run_query("select to_regclass('" ~ schema ~ '.' ~ identifier ~ "')") -%}
    {{ return(found.columns[0].values()[0] is not none) }}
{%- endmacro %}
