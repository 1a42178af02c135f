{% macro iso_instant(instant) -%}
    {#- an instant as text, in UTC whatever the session's time zone -#}
    to_char({{ instant }} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
{%- endmacro %}
