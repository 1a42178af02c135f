{% macro is_mail_address(text) -%}
    {#- whether a mail can be sent to this: one address, which can be no more of a header -#}
    {%- set word = '[^[:space:][:cntrl:].@,:;<>()"\\\\\\[\\]]+' -%}
    {{ text }} ~ '^{{ word }}(\.{{ word }})*@{{ word }}(\.{{ word }})*$'
{%- endmacro %}
