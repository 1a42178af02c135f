-- The change queue and what feeds it: triggers on the source tables that note which
-- keys a statement has touched. An error of theirs is not the application's.
create table if not exists operations.changed_keys (
    change_id bigint generated always as identity primary key,
    system text not null,
    kind text not null,
    tenant text,
    key text,
    starts_at timestamptz,
    noticed_at timestamptz not null default clock_timestamp(),
    claimed_by text
);
comment on table operations.changed_keys is
'One row per key that was touched, and statement. kind: everything, tenant (all keys of
one), customer, location (all its dates), location_day (the date of starts_at). claimed_by:
logid of the refresh that is recomputing it. It goes when the marts have taken it.';

create table if not exists operations.captured_tables (
    relation text primary key,
    system text not null,
    mapping text not null
);
comment on table operations.captured_tables is
'One row per source table that has the triggers: with all of them there, and enabled,
every change of the system is noticed. mapping: fingerprint of what named the tables.';

create table if not exists operations.hook_errors (
    error_id bigint generated always as identity primary key,
    hook text not null,
    relation text not null,
    error text not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table operations.hook_errors is
'One row per error in a trigger of ours, which the application did not notice.';

create or replace function operations.capture_changes()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp set datestyle = 'ISO'
as $capture$
-- Keys become text by the output function of their type, in format(): a cast could be one
-- that the owner of the table has made, and would run with the rights of this function.
declare
    -- arguments: system, and the columns of tenant, customer, location and start; '' for none
    system constant text := tg_argv[0];
    touched constant text := case tg_op
        when 'INSERT' then 'select * from new_rows'
        when 'DELETE' then 'select * from old_rows'
        else 'select * from old_rows union all select * from new_rows'
    end;
begin
    if current_setting('customer_health.is_writing_back', true) = 'on' then
        return null;
    elsif tg_op = 'TRUNCATE' then
        insert into operations.changed_keys (system, kind) values (system, 'everything');
        return null;
    end if;

    if tg_argv[2] != '' then
        execute format(
            'insert into operations.changed_keys (system, kind, tenant, key)'
            ' select distinct %L, ''customer'', format(''%%s'', %2$I), format(''%%s'', %3$I)'
            ' from (%4$s) as touched'
            ' where %2$I is not null and %3$I is not null',
            system, tg_argv[1], tg_argv[2], touched
        );
    end if;
    if tg_argv[4] != '' then
        execute format(
            'insert into operations.changed_keys (system, kind, tenant, key, starts_at)'
            ' select distinct %L, ''location_day'', format(''%%s'', %2$I),'
            ' format(''%%s'', %3$I), format(''%%s'', %4$I)::timestamptz'
            ' from (%5$s) as touched'
            ' where %2$I is not null and %3$I is not null and %4$I is not null',
            system, tg_argv[1], tg_argv[3], tg_argv[4], touched
        );
    elsif tg_argv[3] != '' then
        execute format(
            'insert into operations.changed_keys (system, kind, tenant, key)'
            ' select distinct %L, ''location'', format(''%%s'', %2$I), format(''%%s'', %3$I)'
            ' from (%4$s) as touched'
            ' where %2$I is not null and %3$I is not null',
            system, tg_argv[1], tg_argv[3], touched
        );
    elsif tg_argv[2] = '' then
        execute format(
            'insert into operations.changed_keys (system, kind, tenant)'
            ' select distinct %L, ''tenant'', format(''%%s'', %2$I) from (%3$s) as touched'
            ' where %2$I is not null',
            system, tg_argv[1], touched
        );
    end if;
    return null;
exception when others then
    -- which keys it was is lost, so all of them are recomputed
    begin
        insert into operations.hook_errors (hook, relation, error)
        values ('capture', tg_relid::regclass::text, sqlerrm);
        insert into operations.changed_keys (system, kind) values (system, 'everything');
    exception when others then
        raise warning 'customer_health could not note a change of %: %',
            tg_relid::regclass, sqlerrm;
    end;
    return null;
end
$capture$;
comment on function operations.capture_changes is
'Note the keys that a statement has touched, before and after. Installed by
`python -m flows capture install`, which also says which columns hold the key.';
revoke all on function operations.capture_changes from public;

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
        and pg_trigger.tgfoid = 'operations.capture_changes'::regproc
group by
    captured_tables.system, captured_tables.relation, captured_tables.mapping;
comment on view operations.capture_status is
'One row per source table that was given the triggers: whether it still has them.';
