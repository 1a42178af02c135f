{% macro move_keys(mart, system) -%}
    {#- one mart of an hourly system -#}
    {%- set is_full = var('refresh_scope') == 'all' %}
    {%- if mart.scope %}
    {{ merge_delta(mart, mart.delta if not is_full else
        '(select delta.* from ' ~ mart.delta ~ ' as delta where '
        ~ is_to_move_first('delta', mart.delta, mart.scope, system) ~ ')') }};
    get diagnostics moved = row_count;
    written := moved;
    {%- if is_full %}
    delete from {{ mart.table }} as mart
    where
        {{ is_to_move_first('mart', mart.table, mart.scope, system) }}
    {%- else %}
    delete from {{ mart.table }} as mart
    using {{ mart.scope.table }} as scope
    where
        scope.is_due
        and {{ same('mart', 'scope', mart.scope.key) }}
    {%- endif %}
        and not exists (
            select from {{ mart.delta }} as delta where {{ same('mart', 'delta', mart.key) }}
        );
    get diagnostics removed = row_count;
    {%- endif %}
    {%- if is_full or not mart.scope %}
    {{ merge_delta(mart, mart.delta) }};
    get diagnostics moved = row_count;
    written := written + moved;
    {%- if mart.scope %}
    corrected := corrected + moved;
    {%- endif %}
    -- the mart now has every row of the delta; if it has more rows, the extra ones must
    -- go
    if
        (select count(*) from {{ mart.table }}) > (select count(*) from {{ mart.delta }})
    then
        delete from {{ mart.table }} as mart
        where not exists (
            select from {{ mart.delta }} as delta where {{ same('mart', 'delta', mart.key) }}
        );
        get diagnostics moved = row_count;
        removed := removed + moved;
        {%- if mart.scope %}
        corrected := corrected + moved;
        {%- endif %}
    end if;
    {%- endif %}
{%- endmacro %}


{% macro is_to_move_first(row, relation, scope, system) -%}
    {#-
    A single `exists`, which PostgreSQL can join. Next to another condition it would run
    row by row as soon as its keys outgrew the memory for a hash; so changes of single
    keys and of whole tenants are two parts, each with its own join.
    -#}
    {%- set columns = scope.key | join(', ') -%}
    exists (
        select from (
            select {{ columns }} from {{ scope.table }} where is_due
            {#- on Citus, rows can only be moved by means of distributed tables #}
            {%- if not var('citus') and relation_exists(our_schema('operations'), 'changed_keys') %}
            {%- set noticed = in_operations('changed_keys') %}
            -- keys that changed while a full refresh was computing were also noticed
            union all
            select {{ columns }} from {{ relation }} as changed
            where exists (
                select from {{ noticed }} as noticed
                where
                    noticed.system = '{{ system }}'
                    -- as the triggers write them: a cast would cut the blanks of char(n)
                    and noticed.tenant = format('%s', changed.{{ scope.key[0] }})
                    and noticed.key = format('%s', changed.{{ scope.key[1] }})
            )
            union all
            select {{ columns }} from {{ relation }} as of_tenant
            where exists (
                select from {{ noticed }} as noticed
                where
                    noticed.system = '{{ system }}'
                    and noticed.kind in ('tenant', 'location')
                    and noticed.tenant = format('%s', of_tenant.{{ scope.key[0] }})
            )
            {%- endif %}
        ) as first
        where {{ same('first', row, scope.key) }}
    )
{%- endmacro %}
