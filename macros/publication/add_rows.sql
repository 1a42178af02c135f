{% macro add_rows(mart) -%}
    {#- existing rows stay as they are until a full refresh has seen all rows -#}
    {%- set columns = mart.node.columns.keys() | map('tojson') | list %}
    insert into {{ mart.table }} ({{ columns | join(', ') }})
    select delta.{{ columns | join(', delta.') }}
    from {{ mart.delta }} as delta
    where not exists (
        select from {{ mart.table }} as mart where {{ same('mart', 'delta', mart.key) }}
    );
    get diagnostics written = row_count;
{%- endmacro %}
