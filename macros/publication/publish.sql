{% macro publish(system, deltas, after=[]) -%}
{#-
The publication of a system: brings all its marts at once to the rows of their deltas.
Each mart's `meta: {published: ...}` says how; macros/_macros.yml describes its keys
with this macro.

An hourly system knows its changed keys. It first moves the keys that an hourly refresh
recomputes; then, in a full refresh, all rows. Rows that differ only then had changed
unnoticed, and count as corrected.

A daily system does not know its changes: a full refresh moves all rows, any other one
those of the organizations in its scope. In a mart of days, the days that this refresh
has not computed stay, because they cannot be computed again. Organizations may stand at
different instants.

It is one block, and so one statement: readers see all marts before it or all after it.
The first mart holds the as_of of all. At the end it deletes the recomputed keys from
the change queue.
-#}
{%- if execute %}
{%- set is_hourly = system_of(system).is_hourly %}
{%- set marts = marts_to_move(deltas) %}
{%- if flags.WHICH not in ['compile', 'generate'] %}
    {%- do check_deltas(marts) %}
{%- endif %}
do $publish$
declare
    held timestamptz;
    moved bigint;
    written bigint;
    removed bigint;
    corrected bigint;
    keyed text[] := '{}';
    missing record;
    change text;
begin
    {%- if var('refresh_scope') == 'all' %}
    -- the planner underestimates the distinct values of a key of several columns, and
    -- would memoize lookups that never repeat
    set local enable_memoize = off;
    {%- endif %}
    select {{ 'max' if is_hourly else 'min' }}(as_of) into held from {{ marts[0].table }};
    {%- for mart in marts %}

    -- {{ mart.name }}
    written := 0;
    removed := 0;
    corrected := 0;
    {%- if mart.how.only_grows %}
    {{ merge_delta(mart, mart.delta) }};
    get diagnostics written = row_count;
    {%- elif mart.how.grows_until_nightly and var('refresh_scope') != 'all' %}
    {{- add_rows(mart) }}
    {%- else %}
    {{- move_keys(mart, system) if is_hourly else move_organizations(mart) }}
    {%- endif %}
    insert into {{ this }} (
        run_id, published_at, as_of, held_as_of, refresh_scope, mart,
        rows_written, rows_removed, rows_corrected
    ) values (
        '{{ var("run_id") or invocation_id }}',
        now(),
        {{ as_of() }},
        held,
        '{{ var("refresh_scope") }}',
        '{{ mart.name }}',
        written,
        removed,
        corrected
    );

    -- a mart that was just filled has no statistics until autovacuum comes, a minute
    -- later, and a list that should take milliseconds takes seconds. Readers find rows by
    -- its key and its indexes; analyzing all 93 columns takes longer than filling them,
    -- so autovacuum does the rest, and all of it if rows only changed. On Citus the rows
    -- are on the nodes: this table is empty, so it would always be analyzed
    {%- if not var('citus') or var('refresh_scope') != 'changed' %}
    if
        written > 2 * (
            select reltuples from pg_class where oid = '{{ mart.table }}'::regclass
        )
    then
        analyze {{ mart.table }} ({{ mart.searched | join(', ') }});
    end if;
    {%- endif %}
    {%- endfor %}

    -- indexes are created after the first rows, so that they are built in one pass; so
    -- are new indexes
    {{ build_missing_indexes(marts) }}

    if to_regclass('{{ in_operations("changed_keys") }}') is not null then
        delete from {{ in_operations('changed_keys') }}
        where
            system = '{{ system }}'
            and claimed_by = '{{ var("run_id") }}';
    end if;

    -- the key replaces the whole row as replica identity; if a reader holds the table,
    -- the whole row stays, because nobody must wait for this
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


{% macro check_deltas(marts) -%}
    {#-
    Refuses a delta whose columns differ from those of its mart. Only a scope table that
    is also a delta may have more.
    -#}
    {%- set columns = {} -%}
    {%- for mart in marts -%} {%- do columns.update({mart.delta: mart.node.columns}) -%} {%- endfor -%}
    {%- set others = tables_of_other_columns(columns) -%}
    {%- for mart in marts if mart.delta in others -%}
        {%- set found = contract_changes(mart.node, mart.delta) -%}
        {%- set is_scope = mart.scope and mart.scope.table == mart.delta -%}
        {%- set problems = [] -%}
        {%- for column in found.added -%}
            {%- do problems.append(column ~ ' is missing') -%}
        {%- endfor -%}
        {%- for column in found.retyped -%}
            {%- do problems.append(column ~ ' must be ' ~ mart.node.columns[column].data_type) -%}
        {%- endfor -%}
        {%- for column in found.gone if not is_scope -%}
            {%- do problems.append(column ~ ' must be left out') -%}
        {%- endfor -%}
        {%- if problems -%}
            {%- do exceptions.raise_compiler_error(
                'the rows for ' ~ mart.name ~ ' in ' ~ mart.delta
                ~ ' do not fit its contract: ' ~ problems | join('; ')
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}
