{% macro trimmed(text) -%}
    nullif(btrim({{ text }}, e' \t\r\n\f\x0b'), '')
{%- endmacro %}
