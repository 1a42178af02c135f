-- The change queue and the triggers on the source tables that fill it with the keys
-- that a statement touches. An error in a trigger never reaches the application. But
-- its time is part of the statement: a timeout or a cancel during a trigger ends both,
-- because nobody could stop a statement whose trigger catches that.
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
            is_written boolean not null default false,
            is_deleted boolean not null default false,
            relation text,
            rows_count bigint
        );
        -- somebody has dropped the queue, so the keys in it are lost: recompute
        -- everything
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
'customer_health: One row per touched key and statement, deleted when the marts have
taken it. kind: everything, tenant (all its keys), customer, location (all its dates),
location_day (the date of starts_at). claimed_by: logid of the refresh that recomputes
it. is_written: the real-time hook has already written the customer. is_deleted: a row
with this key was deleted, so the key may belong to nobody. relation and rows_count: the
number of rows of a table whose key was not found, so that their tenant or everything is
recomputed.';

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
'customer_health: One row per system, source and table that its inputs read. While all
triggers exist, are enabled and may write to the queue, every change is noticed. mapping: fingerprint of
everything that the triggers depend on. function_name: the trigger function of this
table. watched_by: triggers; updated_at (the table cannot have or was not given
triggers); both (some rows fire no trigger); nothing (as the sources'' yml decides).';

create table if not exists operations.hook_errors (
    error_id bigint generated always as identity primary key,
    hook text not null,
    relation text not null,
    error text not null,
    created_at timestamptz not null default clock_timestamp()
);
comment on table operations.hook_errors is
'customer_health: One row per error in a trigger of ours. The application did not see
it.';

create table if not exists operations.hooked_tables (
    relation text primary key
);
comment on table operations.hooked_tables is
'customer_health: One row per table on which `hook install` has put the trigger, so that
a lost trigger is reported.';

-- sequences, because they count without a row that transactions would lock
create sequence if not exists operations.hook_skips;
comment on sequence operations.hook_skips is
'customer_health: How often the hook has left orders to the refresh, because in a
transaction that is not read committed it could make the order fail.';
create sequence if not exists operations.hook_skipped_at;
comment on sequence operations.hook_skipped_at is
'customer_health: When the hook last left orders to the refresh, in seconds since
1970.';

create or replace function operations.can_be(given text, type_name text)
returns boolean
language plpgsql immutable as $can_be$
begin
    -- nearly all values; an exception handler costs more than a look
    if
        given is null
        or type_name = 'text'
        or type_name = 'uuid' and given ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        or type_name in ('integer', 'bigint') and given ~ '^[0-9]{1,9}$'
    then
        return true;
    end if;
    begin
        execute format('select %L::%s', given, type_name);
        return true;
    exception
        when data_exception then return false;
    end;
end
$can_be$;
comment on function operations.can_be(text, text) is
'customer_health: Whether a text is a value of a type.';

create or replace function operations.widen_wrong_keys(this_run text, types jsonb)
returns bigint
language sql as $widen$
    with wrong as (
        select
            changed_keys.change_id,
            not judged.can_be_tenant as has_wrong_tenant
        from operations.changed_keys
        cross join lateral (
            select
                operations.can_be(
                    changed_keys.tenant,
                    coalesce(types -> changed_keys.system ->> 'tenant', 'text')
                ) as can_be_tenant,
                operations.can_be(
                    changed_keys.key,
                    coalesce(types -> changed_keys.system ->> changed_keys.kind, 'text')
                ) as can_be_key
        ) as judged
        where
            changed_keys.claimed_by = this_run
            and not (judged.can_be_tenant and judged.can_be_key)
    ),

    widened as (
        update operations.changed_keys as noticed
        set
            kind = case when has_wrong_tenant then 'everything' else 'tenant' end,
            tenant = case when not has_wrong_tenant then noticed.tenant end,
            key = null,
            starts_at = null
        from wrong
        where noticed.change_id = wrong.change_id
        returning 1
    )

    select count(*) from widened
$widen$;
comment on function operations.widen_wrong_keys(text, jsonb) is
'customer_health: Makes the claimed keys of a run that no id can have, such as an empty
text where ids are numbers, recompute their tenant or everything. types: by system and
part of a key, the type of the ids. Returns the number of rows.';

create or replace function operations.keys_of_rows(
    capture jsonb, relation text, looks_up boolean
)
returns text
language plpgsql immutable
-- The SQL of the keys of `changed` rows: a trigger records them, and `capture install`
-- compares them with the keys of the inputs. The parts of a key are expressions over
-- the row, which is called `changed`; joins look up other tables. A part that is looked
-- up and not found recomputes the row's tenant, or everything if the tenant is unknown
-- too; a NULL of the row itself belongs to nobody and recomputes nothing. With looks_up
-- false no other table is read, so nothing is found.
as $keys_of_rows$
declare
    parts constant text[] := array(
        select part
        from unnest(array['tenant', 'customer', 'location', 'starts_at']) as part
        where capture ? part
    );
    looked_up constant text[] := array(
        select jsonb_array_elements_text(capture -> 'looked_up')
    );
    joins constant text := case when looks_up then capture ->> 'joins' end;
    -- a filter that needs a lookup is skipped when lookups are off: better one key too
    -- many
    filter constant text := case
        when capture ? 'where' and (looks_up or not 'where' = any(looked_up))
            then format(E'where (%s\n)', capture ->> 'where')
        else ''
    end;
    -- all parts of the key, and only those that the row itself holds
    selected constant text := (
        select string_agg(
            case
                when looks_up or not part = any(looked_up)
                    then format(E'(%s\n) as %I', capture ->> part, part)
                else format('null::text as %I', part)
            end,
            ', '
        )
        from unnest(parts) as part
    );
    own constant text := (
        select string_agg(
            case
                when part = any(looked_up) then 'null'
                else format(E'(%s\n)', capture ->> part)
            end,
            ', '
        )
        from unnest(parts) as part
    );
    is_lost constant text := (
        select string_agg(format('%I is null', part), ' or ')
        from unnest(parts) as part
        where part = any(looked_up) and part != 'tenant'
    );
    keys text;
begin
    if joins is null then
        keys := format('select %s from changed %s', selected, filter);
    else
        keys := format(
            $joined$
                with changed as (
                    select row_number() over () as "number of the row", *
                    from changed %s
                ),
                found as (
                    select changed."number of the row", %s
                    from changed
                    %s
                )
                select %s from found
                union all
                -- the key of a row that the joins have dropped was not found
                select %s
                from changed
                where not exists (
                    select from found
                    where found."number of the row" = changed."number of the row"
                )
            $joined$,
            filter, selected, joins, array_to_string(parts, ', '), own
        );
    end if;
    -- format() turns keys into text with the output function of their type: a cast
    -- could be one that the table's owner has defined, and would run with the rights of
    -- this function.
    return format(
        'select noted.* from (with keys as (%s) %s) as noted',
        keys,
        (
            select string_agg(branch, ' union all ')
            from (
                values
                (
                    case
                        when capture ? 'customer'
                            then format(
                                'select distinct %L, ''customer'', format(''%%s'', tenant),'
                                ' format(''%%s'', customer), null::timestamptz, null::text,'
                                ' null::bigint from keys'
                                ' where tenant is not null and customer is not null',
                                capture ->> 'system'
                            )
                    end
                ),
                (
                    case
                        when capture ? 'starts_at'
                            then format(
                                'select distinct %L, ''location_day'','
                                ' format(''%%s'', tenant), format(''%%s'', location),'
                                ' format(''%%s'', starts_at)::timestamptz, null::text,'
                                ' null::bigint from keys where tenant is not null'
                                ' and location is not null and starts_at is not null',
                                capture ->> 'system'
                            )
                        when capture ? 'location'
                            then format(
                                'select distinct %L, ''location'', format(''%%s'', tenant),'
                                ' format(''%%s'', location), null::timestamptz, null::text,'
                                ' null::bigint from keys'
                                ' where tenant is not null and location is not null',
                                capture ->> 'system'
                            )
                        when not capture ? 'customer'
                            then format(
                                'select distinct %L, ''tenant'', format(''%%s'', tenant),'
                                ' null, null::timestamptz, null::text, null::bigint'
                                ' from keys where tenant is not null',
                                capture ->> 'system'
                            )
                    end
                ),
                (
                    case
                        when is_lost is not null
                            then format(
                                'select %L, ''tenant'', format(''%%s'', tenant), null,'
                                ' null::timestamptz, %L, count(*) from keys where tenant'
                                ' is not null and (%s) group by format(''%%s'', tenant)',
                                capture ->> 'system', relation, is_lost
                            )
                    end
                ),
                (
                    case
                        when 'tenant' = any(looked_up)
                            then format(
                                'select %L, ''everything'', null, null, null::timestamptz,'
                                ' %L, count(*) from keys where tenant is null'
                                ' having count(*) > 0',
                                capture ->> 'system', relation
                            )
                    end
                )
            ) as branches (branch)
        )
    );
end
$keys_of_rows$;
comment on function operations.keys_of_rows is
'customer_health: The SQL that yields the keys of changed rows of a source table.';

create or replace procedure operations.make_capture_function(
    function_name text, relation text, captures jsonb
)
language plpgsql
as $make$
-- Create the function that the triggers of one table call. Each table has its own, with
-- its column names in the text, because PostgreSQL plans dynamic SQL again at every
-- call: that made an insert of one row three times as slow. Several sources may read
-- one table, and a source may have several keys: a change records all of them.
declare
    systems constant text := (
        select string_agg(distinct quote_literal(capture ->> 'system'), ', ')
        from jsonb_array_elements(captures) as capture
    );
    -- In a serializable transaction the reads of a trigger can make the application's
    -- commit fail, so nothing is looked up there.
    branches constant text := (
        select string_agg(
            format(
                $branch$
            elsif tg_op = %L %s then
                insert into operations.changed_keys
                    (system, kind, tenant, key, starts_at, relation, rows_count, is_deleted)
                with changed as not materialized (%s)
                select keys.*, %L::boolean from (%s) as keys;
                $branch$,
                events.event,
                case
                    when not ways.looks_up
                        then 'and current_setting(''transaction_isolation'') = ''serializable'''
                end,
                events.changed,
                events.event = 'DELETE',
                (
                    select string_agg(
                        operations.keys_of_rows(capture, relation, ways.looks_up), ' union all '
                    )
                    from jsonb_array_elements(captures) as capture
                )
            ),
            '' order by events.event, ways.looks_up
        )
        from (
            values
            ('INSERT', 'select * from new_rows'),
            ('DELETE', 'select * from old_rows'),
            ('UPDATE', 'select * from old_rows union all select * from new_rows')
        ) as events (event, changed)
        inner join (values (false), (true)) as ways (looks_up)
            on
                ways.looks_up
                or exists (
                    select from jsonb_array_elements(captures) as capture
                    where capture ? 'joins' or jsonb_array_length(capture -> 'looked_up') > 0
                )
    );
begin
    execute format(
        $function$
        create or replace function operations.%1$I()
        returns trigger
        language plpgsql security definer
        set search_path = pg_catalog, pg_temp set datestyle = 'ISO'
        as $capture$
        #variable_conflict use_column
        begin
            if current_setting('customer_health.is_writing_back', true) = 'on' then
                return null;
            elsif tg_op = 'TRUNCATE' then
                insert into operations.changed_keys (system, kind)
                select system, 'everything' from unnest(array[%2$s]) as system;
            %3$s
            end if;
            return null;
        exception when others or assert_failure then
            -- the keys are lost, so everything is recomputed
            begin
                insert into operations.hook_errors (hook, relation, error)
                values ('capture', tg_relid::regclass::text, sqlerrm);
                insert into operations.changed_keys (system, kind)
                select system, 'everything' from unnest(array[%2$s]) as system;
            exception when others or assert_failure then
                raise warning 'customer_health could not record a change of %%: %%',
                    tg_relid::regclass, sqlerrm;
            end;
            return null;
        end
        $capture$
        $function$,
        function_name, systems, branches
    );
    execute format(
        'comment on function operations.%I is %L',
        function_name,
        'customer_health: Note the keys that a statement on ' || relation || ' has touched, before and after.'
        ' Made by `customer-health capture install`.'
    );
    execute format('revoke all on function operations.%I from public', function_name);
end
$make$;
comment on procedure operations.make_capture_function is
'customer_health: Creates the function that the triggers of one source table call.';

create or replace function operations.family_of(relation text)
returns table (member_id oid, is_source boolean)
language sql stable
-- The table with its partitions and child tables at any depth: a statement on one of
-- them fires only that one's triggers.
as $family$
    with recursive family (member_id, is_source) as (
        -- looked up in the catalog, because a name fails in a schema that the login may
        -- not use, for example of a system that is switched off
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
'customer_health: A source table with its partitions and child tables at any depth.';

create or replace function operations.unlisted_tables(listed oid[])
returns table (system text, input_name text, relation text)
language sql stable
-- The tables that inputs of hourly systems really read, through views of the
-- application, except listed ones and those below them. Inputs are found below the
-- staging views, in whatever schema a project has built them.
as $unlisted$
    with recursive reads (system, input_id, relation_id, relkind) as (
        select systems.system, null::oid, pg_class.oid, pg_class.relkind
        from operations.systems
        inner join pg_class
            on
                pg_class.relnamespace = to_regnamespace('analytics_internal')
                and starts_with(pg_class.relname::text, 'stg_' || systems.system || '__')
        where systems.is_hourly
        union
        select
            reads.system,
            case
                when starts_with(pg_class.relname::text, 'input_' || reads.system || '__')
                    then pg_class.oid
                else reads.input_id
            end,
            pg_class.oid,
            pg_class.relkind
        from reads
        inner join pg_rewrite
            on reads.relation_id = pg_rewrite.ev_class and reads.relkind = 'v'
        inner join pg_depend
            on
                pg_depend.classid = 'pg_rewrite'::regclass
                and pg_rewrite.oid = pg_depend.objid
                and pg_depend.refclassid = 'pg_class'::regclass
                and pg_depend.refobjid != pg_rewrite.ev_class
        inner join pg_class
            on
                pg_depend.refobjid = pg_class.oid
                and pg_class.oid != all(listed)
    )

    select distinct
        reads.system,
        (select relname::text from pg_class where oid = reads.input_id),
        (
            select format('%I.%I', pg_namespace.nspname, pg_class.relname)
            from pg_class
            inner join pg_namespace
                on pg_class.relnamespace = pg_namespace.oid
            where pg_class.oid = reads.relation_id
        )
    from reads
    where
        reads.input_id != reads.relation_id
        and reads.relkind in ('r', 'p', 'f', 'm')
    order by 1, 2, 3
$unlisted$;
comment on function operations.unlisted_tables is
'customer_health: Tables that inputs of hourly systems read and that are not listed.';

create or replace view operations.capture_status with (security_invoker = true) as
with members as (
    select
        captured_tables.system,
        captured_tables.source_name,
        captured_tables.relation,
        relatives.member_id,
        relatives.is_source,
        -- one trigger for each of the four events, all calling this table's function
        count(distinct pg_trigger.tgtype) = 4 as has_triggers,
        -- the owner with whose rights they run, if it may not write to the queue
        min(pg_get_userbyid(pg_proc.proowner)::text) filter (
            where (
                has_schema_privilege(pg_proc.proowner, 'operations', 'usage')
                and has_table_privilege(
                    pg_proc.proowner, to_regclass('operations.changed_keys'), 'insert'
                )
            ) is not true
        ) as refused_owner
    from operations.captured_tables
    cross join lateral operations.family_of(captured_tables.relation) as relatives
    left join pg_class
        on relatives.member_id = pg_class.oid
    left join pg_proc
        on
            pg_proc.pronamespace = 'operations'::regnamespace
            and captured_tables.function_name = pg_proc.proname
    left join pg_trigger
        on
            relatives.member_id = pg_trigger.tgrelid
            and pg_proc.oid = pg_trigger.tgfoid
            -- Whoever owns the table has triggers that fire always. If they no longer
            -- do, somebody has switched them off and on again, and meanwhile they have
            -- noted nothing.
            and (
                pg_trigger.tgenabled = 'A'
                or pg_trigger.tgenabled = 'O'
                and not pg_has_role(pg_proc.proowner, pg_class.relowner, 'usage')
            )
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
    captured_tables.watched_by in ('updated_at', 'nothing')
    or bool_or(
        members.has_triggers and members.is_source and members.refused_owner is null
    ) as is_captured,
    captured_tables.source_name,
    captured_tables.watched_by,
    array_agg(members.member_id::regclass::text order by members.member_id) filter (
        where not (
            captured_tables.watched_by in ('updated_at', 'nothing')
            or members.is_source
            or members.has_triggers
        )
    ) as unwatched,
    min(members.refused_owner) filter (
        where members.is_source and members.has_triggers
    ) as refused_owner
from operations.captured_tables
inner join members
    on
        captured_tables.system = members.system
        and captured_tables.source_name = members.source_name
        and captured_tables.relation = members.relation
-- all columns: grouped by the key alone, the view would depend on the primary key
group by
    captured_tables.system,
    captured_tables.source_name,
    captured_tables.relation,
    captured_tables.mapping,
    captured_tables.watched_by;
comment on view operations.capture_status is
'customer_health: One row per system, source and table that `capture install` has
listed: how it is watched, whether it still has its triggers, and which of its
partitions or child tables have none. refused_owner: the owner of the triggers'' function,
if it may no longer write to the change queue.';
