{% macro changed_since(system) -%}
    {%- if system not in var('systems') -%}
        {%- do exceptions.raise_compiler_error('changed_since() needs the name of a system') -%}
    {%- endif -%}
    {%- if system in var('changed_since') -%}
        timestamptz '{{ var("changed_since")[system] }}'
    {%- else -%}
        null::timestamptz
    {%- endif -%}
{%- endmacro %}
