{% macro changed_since(system) -%}
    {%- if system in var('changed_since') -%}
        timestamptz '{{ var("changed_since")[system] }}'
    {%- else -%}
        null::timestamptz
    {%- endif -%}
{%- endmacro %}
