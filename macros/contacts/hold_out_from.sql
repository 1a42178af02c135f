{% macro hold_out_from() -%}
    {%- if var('hold_out_rate') and var('hold_out_from') -%} '{{ var("hold_out_from") }}'::date
    {%- else -%} null::date
    {%- endif -%}
{%- endmacro %}
