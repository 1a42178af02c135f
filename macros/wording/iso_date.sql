{% macro iso_date(day) -%}
    {#- a date as text, whatever the session's DateStyle -#}
    to_char({{ day }}, 'YYYY-MM-DD')
{%- endmacro %}
