{% macro is_asked_for(slug) -%}
    {%- if var('organization') -%}
        {{ slug }} = '{{ var("organization") | replace("'", "''") }}'
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}
