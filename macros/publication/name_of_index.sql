{% macro name_of_index(table, columns) -%}
    {#- PostgreSQL silently truncates longer names, and two could become the same -#}
    {%- set name = table ~ '__' ~ columns | join('__') -%}
    {%- set kept = name.encode()[:50].decode('utf-8', 'ignore') -%}
    {%- if name.encode() | length > 63 -%}
        {{ return(kept ~ '_' ~ local_md5(name)[:12]) }}
    {%- endif -%}
    {{ return(name) }}
{%- endmacro %}
