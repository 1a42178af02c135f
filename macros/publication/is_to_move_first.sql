{% macro is_to_move_first(row, scope, system) -%}
    exists (
        select from {{ scope.table }} as scope
        where scope.is_due and {{ same('scope', row, scope.key) }}
    )
    {#- keys that have changed while a full refresh computed were noticed, too #}
    {%- if is_there(our_schema('operations'), 'changed_keys') %}
    or exists (
        select from {{ operations('changed_keys') }} as noticed
        where
            noticed.system = '{{ system }}'
            and noticed.tenant = {{ row }}.{{ scope.key[0] }}::text
            and noticed.key = {{ row }}.{{ scope.key[1] }}::text
    )
    or {{ row }}.{{ scope.key[0] }}::text in (
        select noticed.tenant from {{ operations('changed_keys') }} as noticed
        where noticed.system = '{{ system }}' and noticed.kind in ('tenant', 'location')
    )
    {%- endif %}
{%- endmacro %}
