{% macro by_code_point(id, type) -%}
    {#- text has the collation of the database, which differs between servers -#}
    {%- set is_text = type.split('(')[0] | trim | lower in [
        'text', 'varchar', 'character varying', 'bpchar', 'character', 'char', 'citext'
    ] -%}
    {{ id }}{{ ' collate "C"' if is_text }}
{%- endmacro %}
