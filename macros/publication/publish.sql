{% macro publish(system, deltas, after=[]) -%}
{#-
The publication of a system: moves its marts, all at once, to the rows of their deltas.
Each mart's `meta: {published: ...}` says how; the keys are described where this macro
is, in macros/_macros.yml.

In an hourly system changes are announced. First come the keys that an hourly refresh
recomputes; then, in a full refresh, all rows. What is found wrong then, nobody had
noticed: it is counted as corrected.

Nothing announces changes in a daily system: a full refresh moves all rows, any other
one those of the organizations in its scope. What a mart of days holds of days that
this refresh has not computed stays, for nobody could compute it again. Organizations
may hold different instants.

It is one block, and so one statement: readers see all marts as they were or all as they
are. The first mart holds the as_of of all. In the end it takes the keys that were
recomputed off the change queue.
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
    -- a key of several columns looks to the planner as if it had few values: it would look
    -- every row up by itself, and keep what is never asked for again
    set local enable_memoize = off;
    {%- endif %}
    select {{ 'max' if is_hourly else 'min' }}(as_of) into held from {{ marts[0].table }};
    {%- for mart in marts %}

    -- {{ mart.name }}
    written := 0;
    removed := 0;
    corrected := 0;
    {%- if mart.how.only_grows
        or mart.how.grows_until_nightly and var('refresh_scope') != 'all' %}
    {{- add_rows(mart) }}
    {%- else %}
    {{- move_keys(mart, system) if is_hourly else move_organizations(mart) }}
    {%- endif %}
    insert into {{ this }} (
        run_id, as_of, held_as_of, refresh_scope, mart,
        rows_written, rows_removed, rows_corrected
    ) values (
        '{{ var("run_id") or invocation_id }}',
        {{ as_of() }},
        held,
        '{{ var("refresh_scope") }}',
        '{{ mart.name }}',
        written,
        removed,
        corrected
    );
    {%- endfor %}

    -- with the first rows come the indexes: built at once, not row by row; so do new ones
    {{ build_missing_indexes(marts) }}

    if to_regclass('{{ in_operations("changed_keys") }}') is not null then
        delete from {{ in_operations('changed_keys') }}
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


{% macro check_deltas(marts) -%}
    {#-
    Refuses a delta that has not the columns of its mart. More than those has only a table of
    the scope that is a delta as well.
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
