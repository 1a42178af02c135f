{% macro in_scope(rows, scope, key) -%}
    {#- a refresh of all rows looks beyond the keys that it recomputes: at rows of nobody -#}
    {%- if var('refresh_scope') != 'all' -%}
    inner join {{ scope }} as scope
        on {{ same(rows, 'scope', key) }}
    {%- endif -%}
{%- endmacro %}
