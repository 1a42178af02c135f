{% macro is_mail_address(text) -%}
    {#- whether this is one mail address, and cannot add anything else to a header: no word
    that is encoded (=?...?=), either -#}
    {%- set word = '[^[:space:][:cntrl:].@,:;<>()"\\\\\\[\\]]+' -%}
    (
        {{ text }} ~ '^{{ word }}(\.{{ word }})*@{{ word }}(\.{{ word }})*$'
        and {{ text }} !~ '=[?]'
    )
{%- endmacro %}
