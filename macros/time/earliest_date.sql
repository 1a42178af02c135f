{% macro earliest_date() -%}
    '{{ var("earliest_timestamp")[:10] }}'::date
{%- endmacro %}
