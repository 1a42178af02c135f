{% macro in_scope(rows, scope, key) -%}
    {#- a refresh of all rows also reads rows that belong to no key -#}
    {%- if var('refresh_scope') != 'all' -%}
    inner join {{ scope }} as scope
        on {{ same(rows, 'scope', key) }}
    {%- endif -%}
{%- endmacro %}
