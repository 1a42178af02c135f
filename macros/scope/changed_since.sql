{% macro changed_since() -%}
    {%- if var('changed_since') -%}
        timestamptz '{{ var("changed_since") }}'
    {%- else -%}
        null::timestamptz
    {%- endif -%}
{%- endmacro %}
