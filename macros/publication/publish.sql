{% macro publish(system, marts) -%}
{#-
One block that moves these marts to the rows of their deltas: inserts and updates what
differs, deletes what is gone, logs both, and takes the keys that it has recomputed off the
change queue. It is one statement, so readers see all marts as they were or all as they
are. A mart's delta is the model it selects from. The first mart holds the as_of of all.

First come the keys that an hourly refresh recomputes; then, in a full refresh, all rows.
What is found wrong then, nobody had noticed: it is counted as corrected. So in a full
refresh the keys that have changed while it computed come first, too.

Nothing announces changes in a system that is daily: a full refresh moves all rows, any
other one those of the organizations in its scope. What a mart of days holds of days that
this refresh has not computed stays, for nobody could compute it again.
-#}
{%- if execute %}
{%- set is_full = var('refresh_scope') == 'all' %}
{%- set is_daily = not system_of(system).is_hourly %}
do $publish$
declare
    held timestamptz;
    moved bigint;
    written bigint;
    removed bigint;
    corrected bigint;
    keyed text[] := '{}';
    change text;
begin
    -- organizations of a daily system may hold different instants
    select {{ 'min' if is_daily else 'max' }}(as_of) into held from {{ marts[0] }};
    {%- for mart in marts %}
    {%- set node = graph.nodes['model.customer_health.' ~ mart.identifier] %}
    {%- set delta = graph.nodes[node.depends_on.nodes[0]].relation_name %}
    {%- set key = node.config.unique_key | map('tojson') | list %}
    {%- set scope = node.config.meta.get('scope') %}
    {%- if is_full or not node.config.meta.get('is_nightly_only') %}

    -- {{ mart.identifier }}
    written := 0;
    removed := 0;
    corrected := 0;
    {%- if scope %}
    {%- set scope_relation = graph.nodes['model.customer_health.' ~ scope].relation_name %}
    {%- set scope_key = node.config.meta.scope_key | map('tojson') | list %}
    {%- endif %}
    {%- set day = node.config.meta.get('day') %}
    {%- if is_daily %}
    {{ merge_delta(mart, node, delta) }};
    get diagnostics written = row_count;
    delete from {{ mart }} as mart
    where
        {%- if day %}
        exists (
            select from {{ delta }} as delta
            where {{ same('mart', 'delta', [key[0], day | tojson]) }}
        )
        {%- elif is_full %}
        true
        {%- else %}
        exists (
            select from {{ scope_relation }} as scope
            where scope.is_due and {{ same('mart', 'scope', scope_key) }}
        )
        {%- endif %}
        and not exists (
            select from {{ delta }} as delta where {{ same('mart', 'delta', key) }}
        );
    get diagnostics removed = row_count;
    {%- if node.config.meta.get('keep_days') %}
    delete from {{ mart }} as mart
    using {{ scope_relation }} as scope
    where
        {{ same('mart', 'scope', scope_key) }}
        and mart.{{ day }} <= scope.today - {{ node.config.meta.keep_days }};
    get diagnostics moved = row_count;
    removed := removed + moved;
    {%- endif %}
    {%- else %}
    {%- if scope %}
    {{ merge_delta(mart, node, delta if not is_full else
        '(select delta.* from ' ~ delta ~ ' as delta where '
        ~ is_due('delta', scope_relation, scope_key, system) ~ ')') }};
    get diagnostics moved = row_count;
    written := moved;
    {%- if is_full %}
    delete from {{ mart }} as mart
    where
        ({{ is_due('mart', scope_relation, scope_key, system) }})
    {%- else %}
    delete from {{ mart }} as mart
    using {{ scope_relation }} as scope
    where
        scope.is_due
        and {{ same('mart', 'scope', scope_key) }}
    {%- endif %}
        and not exists (
            select from {{ delta }} as delta where {{ same('mart', 'delta', key) }}
        );
    get diagnostics removed = row_count;
    {%- endif %}
    {%- if is_full or not scope %}
    {{ merge_delta(mart, node, delta) }};
    get diagnostics moved = row_count;
    written := written + moved;
    corrected := corrected + moved;
    -- every row of the delta is there now: a row more than that is one too many
    if (select count(*) from {{ mart }}) > (select count(*) from {{ delta }}) then
        delete from {{ mart }} as mart
        where not exists (
            select from {{ delta }} as delta where {{ same('mart', 'delta', key) }}
        );
        get diagnostics moved = row_count;
        removed := removed + moved;
        corrected := corrected + moved;
    end if;
    {%- endif %}
    {%- endif %}
    insert into {{ this }} (
        run_id, as_of, held_as_of, refresh_scope, mart,
        rows_written, rows_removed, rows_corrected
    ) values (
        '{{ var("run_id") or invocation_id }}',
        {{ as_of() }},
        held,
        '{{ var("refresh_scope") }}',
        '{{ mart.identifier }}',
        written,
        removed,
        {{ 'corrected' if scope and not is_daily else 0 }}
    );

    -- with the first rows come the indexes: built at once, not row by row; so do new ones
    if to_regclass('{{ mart.schema }}.{{ mart.identifier }}__key') is null then
        create unique index {{ mart.identifier }}__key
        on {{ mart }} ({{ key | join(', ') }});
        keyed := keyed || text
            'alter table {{ mart }} replica identity using index {{ mart.identifier }}__key';
    end if;
    {%- for index in node.config.get('indexes', []) %}
    {%- set name = name_of_index(mart.identifier, index.columns) %}
    {%- set cut = (mart.identifier ~ '__' ~ index.columns | join('__'))[:63] %}
    if to_regclass('{{ mart.schema }}.{{ name }}') is null then
        {%- if cut != name %}
        -- where a version before has made it, under a name that was cut
        alter index if exists {{ mart.schema }}.{{ cut }} rename to {{ name }};
        {%- endif %}
        create index if not exists {{ name }}
        on {{ mart }} {{- ' using ' ~ index.type if index.type }}
        ({{ index.columns | join(', ') }});
    end if;
    {%- endfor %}
    {%- endif %}
    {%- endfor %}

    if to_regclass('{{ operations("changed_keys") }}') is not null then
        delete from {{ operations('changed_keys') }}
        where
            system = '{{ system }}'
            and claimed_by = '{{ var("run_id") }}';
    end if;

    -- for subscribers the new key is less than the whole row, which has served so far and
    -- goes on to where somebody is reading: nobody is to wait for this
    perform set_config('lock_timeout', '10ms', true);
    foreach change in array keyed
    loop
        begin
            execute change;
        exception when lock_not_available then
            null;
        end;
    end loop;
    set local lock_timeout = 0;
end
$publish$
{%- endif %}
{%- endmacro %}


{% macro is_due(row, scope, scope_key, system) -%}
    exists (
        select from {{ scope }} as scope
        where scope.is_due and {{ same('scope', row, scope_key) }}
    )
    {%- if is_there(our_schema('operations'), 'changed_keys') %}
    or exists (
        select from {{ operations('changed_keys') }} as noticed
        where
            noticed.system = '{{ system }}'
            and noticed.tenant = {{ row }}.{{ scope_key[0] }}::text
            and noticed.key = {{ row }}.{{ scope_key[1] }}::text
    )
    or {{ row }}.{{ scope_key[0] }}::text in (
        select noticed.tenant from {{ operations('changed_keys') }} as noticed
        where noticed.system = '{{ system }}' and noticed.kind in ('tenant', 'location')
    )
    {%- endif %}
{%- endmacro %}


{% macro merge_delta(mart, node, delta) -%}
    {%- set key = node.config.unique_key | map('tojson') | list -%}
    {%- set columns = node.columns.keys() | map('tojson') | list -%}
    {%- set stamps = node.config.meta.get('stamps', {}) -%}
    {%- set stamped = stamps.values() | map('tojson') | list -%}
    {%- set compared = columns | reject('in', key + stamped) | list -%}
    {%- set ignored = node.config.meta.get('not_business', []) | map('tojson') | list -%}
    merge into {{ mart }} as mart
    using {{ delta }} as delta
    on {{ same('mart', 'delta', key) }}
    when matched and (
        {{ differ('mart', 'delta', compared) }}
    ) then update set
        {%- if stamps.changed %}
        {{ stamps.changed }} = case
            when
                {{ differ('mart', 'delta', compared | reject('in', ignored) | list) }}
                then delta.{{ stamps.changed }}
            else mart.{{ stamps.changed }}
        end,
        {%- endif %}
        {%- if stamps.written %}
        {{ stamps.written }} = delta.{{ stamps.written }},
        {%- endif %}
        {%- for column in compared %}
        {{ column }} = delta.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    when not matched then
        insert ({{ columns | join(', ') }})
        values (delta.{{ columns | join(', delta.') }})
{%- endmacro %}


{% macro same(left, right, columns) -%}
    {%- for column in columns -%}
        {{ left }}.{{ column }} = {{ right }}.{{ column }}{{ ' and ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}


{% macro differ(left, right, columns) -%}
    {%- for column in columns %}
        {{ left }}.{{ column }} is distinct from {{ right }}.{{ column }}
        {{- ' or' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
