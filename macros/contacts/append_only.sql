{% macro append_only(table) -%}
    {#- also from its owner; to erase a row, grant the right first -#}
    revoke update, delete, truncate on {{ table }} from current_user
{%- endmacro %}
