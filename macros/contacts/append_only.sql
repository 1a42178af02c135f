{% macro append_only(table) -%}
    {#- from its owner, too; who has to erase a row must say so with a grant first -#}
    revoke update, delete, truncate on {{ table }} from current_user
{%- endmacro %}
