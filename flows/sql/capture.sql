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
            claimed_by text
        );
        -- somebody has dropped it: what the triggers have noted there is lost
        insert into operations.changed_keys (system, kind)
        select
            systems.system,
            'everything'
        from (values ('orders'), ('bookings'), ('tenants'), ('accounts')) as systems (system)
        where exists (select from pg_trigger where tgname = 'customer_health_truncate');
    end if;
end
$changed_keys$;
alter table operations.changed_keys
add column if not exists is_written boolean not null default false;
comment on table operations.changed_keys is
'customer_health: One row per key that was touched, and statement. kind: everything,
tenant (all keys of one), customer, location (all its dates), location_day (the date of
starts_at). claimed_by: logid of the refresh that is recomputing it. is_written: by the
real-time hook, which has written the customer already. It goes when the marts have
taken it.';

create table if not exists operations.captured_tables (
    relation text primary key,
    system text not null,
    mapping text not null
);
comment on table operations.captured_tables is
'customer_health: One row per source table that has the triggers: with all of them
there, and enabled, every change of the system is noticed. mapping: fingerprint of what
named the tables.';

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

create or replace procedure operations.make_capture_function(
    function_name text,
    source_system text,
    tenant_column text,
    customer_column text,
    location_column text,
    starts_at_column text
)
language plpgsql
as $make$
-- Make the function that the triggers of one table call. Each table has its own, with the
-- names of its columns in its text, for PostgreSQL plans a statement that is put together
-- anew at every call: that cost an insert of one row three times as much. Columns come
-- quoted, for one that is the same in all rows is a constant; those that the table does
-- not have are ''.
declare
    -- Keys become text by the output function of their type, in format(): a cast could be
    -- one that the owner of the table has made, and would run with the rights of the function.
    keys constant text := concat_ws(
        ' union all ',
        case
            when customer_column != ''
                then format(
                    'select distinct %L, ''customer'', format(''%%s'', %2$s),'
                    ' format(''%%s'', %3$s), null::timestamptz from touched'
                    ' where %2$s is not null and %3$s is not null',
                    source_system, tenant_column, customer_column
                )
        end,
        case
            when starts_at_column != ''
                then format(
                    'select distinct %L, ''location_day'', format(''%%s'', %2$s),'
                    ' format(''%%s'', %3$s), format(''%%s'', %4$s)::timestamptz from touched'
                    ' where %2$s is not null and %3$s is not null and %4$s is not null',
                    source_system, tenant_column, location_column, starts_at_column
                )
            when location_column != ''
                then format(
                    'select distinct %L, ''location'', format(''%%s'', %2$s),'
                    ' format(''%%s'', %3$s), null::timestamptz from touched'
                    ' where %2$s is not null and %3$s is not null',
                    source_system, tenant_column, location_column
                )
            when customer_column = ''
                then format(
                    'select distinct %L, ''tenant'', format(''%%s'', %2$s), null,'
                    ' null::timestamptz from touched where %2$s is not null',
                    source_system, tenant_column
                )
        end
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
                values (%2$L, 'everything');
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
                values (%2$L, 'everything');
            exception when others then
                raise warning 'customer_health could not note a change of %%: %%',
                    tg_relid::regclass, sqlerrm;
            end;
            return null;
        end
        $capture$;
        comment on function operations.%1$I is
        'customer_health: Note the keys that a statement has touched, before and after. Made by
        `python -m flows capture install`.';
        revoke all on function operations.%1$I from public
        $function$,
        function_name, source_system, keys
    );
end
$make$;
comment on procedure operations.make_capture_function is
'customer_health: Make the function that the triggers of one source table call.';

create or replace view operations.capture_status with (security_invoker = true) as
select
    captured_tables.system,
    captured_tables.relation,
    captured_tables.mapping,
    count(pg_trigger.oid) filter (where pg_trigger.tgenabled in ('O', 'A')) = 4
        as is_captured
from operations.captured_tables
left join pg_trigger
    on
        pg_trigger.tgrelid = to_regclass(captured_tables.relation)
        and pg_trigger.tgfoid in (
            select oid from pg_proc
            where
                pronamespace = 'operations'::regnamespace
                and proname like 'capture\_%'
                and position(
                    'Note the keys that a statement has touched'
                    in obj_description(oid, 'pg_proc')
                ) > 0
        )
group by
    captured_tables.system, captured_tables.relation, captured_tables.mapping;
comment on view operations.capture_status is
'customer_health: One row per source table that was given the triggers: whether it still
has them.';
