{% macro trimmed(text) -%}
    nullif(btrim({{ text }}, e' \t\r\n'), '')
{%- endmacro %}
