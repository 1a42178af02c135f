{% macro name_of_index(table, columns) -%}
    {#- PostgreSQL cuts longer names, silently, and two may be one then -#}
    {%- set name = table ~ '__' ~ columns | join('__') -%}
    {%- set kept = name.encode()[:50].decode('utf-8', 'ignore') -%}
    {%- if name.encode() | length > 63 -%}
        {{ return(kept ~ '_' ~ local_md5(name)[:12]) }}
    {%- endif -%}
    {{ return(name) }}
{%- endmacro %}
