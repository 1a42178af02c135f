{% macro move_together(system, deltas, held) -%}
{#-
One block that moves marts, each by what the caller says, logs what it has moved, builds
indexes that are missing, and takes the keys that were recomputed off the change queue. It
is one statement, so readers see all marts as they were or all as they are. The first mart
holds the as_of of all: held is the aggregate of it.
-#}
{%- if execute %}
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
    select {{ held }}(as_of) into held from {{ marts[0].table }};
    {%- for mart in marts
        if var('refresh_scope') == 'all' or not mart.how.nightly_only %}

    -- {{ mart.name }}
    written := 0;
    removed := 0;
    corrected := 0;
    {{- caller(mart) }}
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
