-- The change queue and what feeds it: triggers on the source tables that note which
-- keys a statement has touched. An error of theirs is not the application's.
do $changed_keys$
begin
    if to_regclass('operations.changed_keys') is null then
        create table operations.changed_keys (
            change_id bigint generated always as identity primary key,
            system text not null,
            kind text not null,
            tenant text,
            key text,
            starts_at timestamptz,
            noticed_at timestamptz not null default clock_timestamp(),
            claimed_by text,
            is_written boolean not null default false
        );
        -- somebody has dropped it: what the triggers have noted there is lost
        insert into operations.changed_keys (system, kind)
        select
            systems.system,
            'everything'
        from operations.systems
        where exists (select from pg_trigger where tgname = 'customer_health_truncate');
    end if;
end
$changed_keys$;
comment on table operations.changed_keys is
'customer_health: One row per key that was touched, and statement. kind: everything,
tenant (all keys of one), customer, location (all its dates), location_day (the date of
starts_at). claimed_by: logid of the refresh that is recomputing it. is_written: by the
real-time hook, which has written the customer already. It goes when the marts have
taken it.';

create table if not exists operations.captured_tables (
    system text not null,
    source_name text not null,
    relation text not null,
    mapping text not null,
    function_name text not null,
    watched_by text not null,
    primary key (system, source_name, relation)
);
comment on table operations.captured_tables is
'customer_health: One row per system, source and table behind it: with the triggers
there, and enabled, every change of the system is noticed. mapping: fingerprint of
what named the tables. function_name: what the triggers of this very table call.
watched_by: triggers, updated_at (of what can have none), or both (where rows arrive
that fire none).';

create table if not exists operations.hook_errors (
    error_id bigint generated always as identity primary key,
    hook text not null,
    relation text not null,
    error text not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table operations.hook_errors is
'customer_health: One row per error in a trigger of ours, which the application did not
notice.';

create table if not exists operations.hooked_tables (
    relation text primary key
);
comment on table operations.hooked_tables is
'customer_health: One row per table that `hook install` has put the trigger on, so that
one which has lost it is said.';

-- sequences, for they count without a row that transactions could meet at
create sequence if not exists operations.hook_skips;
comment on sequence operations.hook_skips is
'customer_health: How often the hook has left orders to the refresh: in a transaction
that is not read committed, its work could cost the order.';
create sequence if not exists operations.hook_skipped_at;
comment on sequence operations.hook_skipped_at is
'customer_health: When the hook has last left orders to the refresh, in seconds since
1970.';

create or replace procedure operations.make_capture_function(
    function_name text, relation text, captures jsonb
)
language plpgsql
as $make$
-- Make the function that the triggers of one table call. Each table has its own, with the
-- names of its columns in its text, for PostgreSQL plans a statement that is put together
-- anew at every call: that cost an insert of one row three times as much. Columns come
-- quoted, for one that is the same in all rows is a constant; those that the table does
-- not have are ''. Several sources may read one table: a change is one of each of them.
declare
    -- Keys become text by the output function of their type, in format(): a cast could be
    -- one that the owner of the table has made, and would run with the rights of the function.
    keys constant text := (
        select string_agg(part, ' union all ')
        from
            jsonb_to_recordset(captures) as capture (
                system text, tenant text, customer text, location text, starts_at text
            )
        cross join lateral (
            values
            (
                case
                    when customer != ''
                        then format(
                            'select distinct %L, ''customer'', format(''%%s'', %2$s),'
                            ' format(''%%s'', %3$s), null::timestamptz from touched'
                            ' where %2$s is not null and %3$s is not null',
                            system, tenant, customer
                        )
                end
            ),
            (
                case
                    when starts_at != ''
                        then format(
                            'select distinct %L, ''location_day'', format(''%%s'', %2$s),'
                            ' format(''%%s'', %3$s), format(''%%s'', %4$s)::timestamptz'
                            ' from touched where %2$s is not null and %3$s is not null'
                            ' and %4$s is not null',
                            system, tenant, location, starts_at
                        )
                    when location != ''
                        then format(
                            'select distinct %L, ''location'', format(''%%s'', %2$s),'
                            ' format(''%%s'', %3$s), null::timestamptz from touched'
                            ' where %2$s is not null and %3$s is not null',
                            system, tenant, location
                        )
                    when customer = ''
                        then format(
                            'select distinct %L, ''tenant'', format(''%%s'', %2$s), null,'
                            ' null::timestamptz from touched where %2$s is not null',
                            system, tenant
                        )
                end
            )
        ) as parts (part)
    );
    systems constant text := (
        select string_agg(distinct quote_literal(capture ->> 'system'), ', ')
        from jsonb_array_elements(captures) as capture
    );
begin
    execute format(
        $function$
        create or replace function operations.%1$I()
        returns trigger
        language plpgsql security definer
        set search_path = pg_catalog, pg_temp set datestyle = 'ISO'
        as $capture$
        begin
            if current_setting('customer_health.is_writing_back', true) = 'on' then
                return null;
            elsif tg_op = 'TRUNCATE' then
                insert into operations.changed_keys (system, kind)
                select system, 'everything' from unnest(array[%2$s]) as system;
            elsif tg_op = 'INSERT' then
                insert into operations.changed_keys (system, kind, tenant, key, starts_at)
                with touched as not materialized (select * from new_rows)
                %3$s;
            elsif tg_op = 'DELETE' then
                insert into operations.changed_keys (system, kind, tenant, key, starts_at)
                with touched as not materialized (select * from old_rows)
                %3$s;
            else
                insert into operations.changed_keys (system, kind, tenant, key, starts_at)
                with touched as not materialized (
                    select * from old_rows union all select * from new_rows
                )
                %3$s;
            end if;
            return null;
        exception when others then
            -- which keys it was is lost, so all of them are recomputed
            begin
                insert into operations.hook_errors (hook, relation, error)
                values ('capture', tg_relid::regclass::text, sqlerrm);
                insert into operations.changed_keys (system, kind)
                select system, 'everything' from unnest(array[%2$s]) as system;
            exception when others then
                raise warning 'customer_health could not note a change of %%: %%',
                    tg_relid::regclass, sqlerrm;
            end;
            return null;
        end
        $capture$
        $function$,
        function_name, systems, keys
    );
    execute format(
        'comment on function operations.%I is %L',
        function_name,
        'customer_health: Note the keys that a statement on ' || relation || ' has touched, before and after.'
        ' Made by `python -m flows capture install`.'
    );
    execute format('revoke all on function operations.%I from public', function_name);
end
$make$;
comment on procedure operations.make_capture_function is
'customer_health: Make the function that the triggers of one source table call.';

create or replace function operations.family_of(relation text)
returns table (member_id oid, is_source boolean)
language sql stable
-- The table and, at any depth, its partitions and the tables that inherit from it: a
-- statement on one of them fires its own triggers only.
as $family$
    with recursive family (member_id, is_source) as (
        -- by the catalog, for of a schema that one may not use nothing can be named: that
        -- of a system that was switched off, say
        select
            (
                select pg_class.oid
                from pg_class
                inner join pg_namespace
                    on pg_class.relnamespace = pg_namespace.oid
                where
                    pg_namespace.nspname = (parse_ident(relation))[1]
                    and pg_class.relname = (parse_ident(relation))[2]
            ),
            true
        union
        select pg_inherits.inhrelid, false
        from family
        inner join pg_inherits
            on family.member_id = pg_inherits.inhparent
    )

    select family.member_id, family.is_source
    from family
$family$;
comment on function operations.family_of is
'customer_health: A source table and, at any depth, its partitions and the tables that
inherit from it.';

create or replace view operations.capture_status with (security_invoker = true) as
with members as (
    select
        captured_tables.system,
        captured_tables.source_name,
        captured_tables.relation,
        relatives.member_id,
        relatives.is_source,
        -- one for each of the four events, and all call the function of this very table
        count(distinct pg_trigger.tgtype) = 4 as has_triggers
    from operations.captured_tables
    cross join lateral operations.family_of(captured_tables.relation) as relatives
    left join pg_proc
        on
            pg_proc.pronamespace = 'operations'::regnamespace
            and captured_tables.function_name = pg_proc.proname
    left join pg_trigger
        on
            relatives.member_id = pg_trigger.tgrelid
            and pg_proc.oid = pg_trigger.tgfoid
            and pg_trigger.tgenabled in ('O', 'A')
    group by
        captured_tables.system,
        captured_tables.source_name,
        captured_tables.relation,
        relatives.member_id,
        relatives.is_source
)

select
    captured_tables.system,
    captured_tables.relation,
    captured_tables.mapping,
    captured_tables.watched_by = 'updated_at'
    or bool_or(members.has_triggers and members.is_source) as is_captured,
    captured_tables.source_name,
    captured_tables.watched_by,
    array_agg(members.member_id::regclass::text order by members.member_id) filter (
        where not (
            captured_tables.watched_by = 'updated_at'
            or members.is_source
            or members.has_triggers
        )
    ) as unwatched
from operations.captured_tables
inner join members
    on
        captured_tables.system = members.system
        and captured_tables.source_name = members.source_name
        and captured_tables.relation = members.relation
-- all of them: by its key alone the view would stand in the way of another key
group by
    captured_tables.system,
    captured_tables.source_name,
    captured_tables.relation,
    captured_tables.mapping,
    captured_tables.watched_by;
comment on view operations.capture_status is
'customer_health: One row per system, source and table that was given the triggers:
whether it still has them, and which of its partitions, or of the tables that inherit
from it, have none.';
