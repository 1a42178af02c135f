{% macro as_of() -%}
    {%- set instant = var('as_of') or run_started_at.isoformat() -%}
    timestamptz '{{ instant }}'
{%- endmacro %}
