-- The rights that the roles need on the application, those that they have, and the
-- grants of missing ones. For one session, in pg_temp, after flows/sql/roles.sql.

create or replace function pg_temp.views(name text, of_project boolean)
returns oid[]
language sql as $views$
    -- Inputs whose names begin so, and the view that is written through: either the
    -- built ones, or those of the project, which `roles install` creates as temporary
    -- views. Only the latter decide what is granted, because the refresher could change
    -- the former.
    select coalesce(array_agg(pg_class.oid), '{}')
    from pg_class
    where
        pg_class.relkind = 'v'
        and starts_with(pg_class.relname::text, views.name::text)
        and case
            when of_project then pg_class.relnamespace = pg_my_temp_schema()
            else pg_class.relnamespace = to_regnamespace('analytics_internal')
        end
$views$;

create or replace function pg_temp.oid_of(thing text)
returns oid
language sql as $oid_of$
    -- A relation by its name. Casts and to_regclass() fail in a schema that the login
    -- may not use.
    select pg_class.oid
    from pg_class
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    where
        pg_namespace.nspname = (parse_ident(thing))[1]
        and pg_class.relname = (parse_ident(thing))[2]
$oid_of$;

create or replace function pg_temp.origins_of(view_id oid)
returns table (column_name name, table_id oid, column_number smallint)
language sql as $origins_of$
    select
        part.words[1]::name as column_name,
        part.words[2]::oid as table_id,
        part.words[3]::smallint as column_number
    from pg_rewrite
    cross join lateral regexp_matches(
        pg_rewrite.ev_action::text,
        ':resname (\S+) :ressortgroupref \d+ :resorigtbl (\d+) :resorigcol (\d+)',
        'g'
    ) as part (words)
    where pg_rewrite.ev_class = view_id
$origins_of$;

create or replace function pg_temp.is_hooked()
returns boolean
language sql as $is_hooked$
    -- whether a trigger calls the functions of the real-time hook, which the refresher
    -- owns, or somebody else may execute them
    select
        exists (
            select
            from pg_trigger
            where pg_trigger.tgfoid = to_regproc('operations.after_order_created')
        )
        or exists (
            select
            from pg_proc
            cross join lateral aclexplode(pg_proc.proacl) as caller
            where
                pg_proc.oid = to_regproc('operations.after_orders_created')
                and caller.grantee != pg_proc.proowner
        )
$is_hooked$;

create or replace function pg_temp.written_columns(of_project boolean)
returns table (
    column_name name, table_id oid, origin name, is_written boolean, is_hooked boolean
)
language sql as $written_columns$
    -- The origins of the columns of the input that is written through, from the view's
    -- rule in the catalog. Writing also goes through a security_invoker view of the
    -- application, to what that view reads.
    with recursive written as (
        select
            viewed.attname as column_name,
            origins.table_id,
            origins.column_number
        from unnest(pg_temp.views('input_orders__customer_statuses', of_project))
            as views (view_id)
        inner join pg_attribute as viewed
            on
                views.view_id = viewed.attrelid
                and viewed.attnum > 0
                and pg_column_is_updatable(viewed.attrelid, viewed.attnum, true)
        cross join lateral pg_temp.origins_of(views.view_id) as origins
        where viewed.attname = origins.column_name

        union

        select
            written.column_name,
            origins.table_id,
            origins.column_number
        from written
        inner join pg_class
            on
                written.table_id = pg_class.oid
                and pg_class.relkind = 'v'
        inner join pg_attribute as viewed
            on
                written.table_id = viewed.attrelid
                and written.column_number = viewed.attnum
        cross join lateral pg_temp.origins_of(written.table_id) as origins
        where
            viewed.attname = origins.column_name
            and exists (
                select from pg_options_to_table(pg_class.reloptions) as options
                where
                    options.option_name = 'security_invoker'
                    and options.option_value::boolean
            )
    )

    select
        written.column_name,
        pg_attribute.attrelid as table_id,
        pg_attribute.attname as origin,
        written.column_name = any(
            '{
                account_type, risk_status, last_order_date, next_expected_order_date,
                average_order_interval_days, dormancy_since, reactivated_date
            }'::text[]
        )
        as is_written,
        written.column_name = any('{account_type, last_order_date, dormancy_since}'::text[])
        and pg_temp.is_hooked() as is_hooked
    from written
    inner join pg_attribute
        on
            written.table_id = pg_attribute.attrelid
            and written.column_number = pg_attribute.attnum
            and pg_attribute.attgenerated = ''
$written_columns$;

create or replace function pg_temp.reached(view_ids oid[])
returns table (class_id oid, object_id oid, column_number integer, is_read boolean)
language sql as $reached$
    -- What these views depend on in the catalog: tables, views of the application,
    -- functions, types. is_read: read with the rights of the caller, also below a
    -- security_invoker view; below other views the view's owner reads, except that the
    -- caller needs execute on functions.
    with recursive reached as (
        select
            'pg_class'::regclass::oid as class_id,
            views.id as object_id,
            0 as column_number,
            true as is_read
        from unnest(view_ids) as views (id)

        union

        select
            pg_depend.refclassid as class_id,
            pg_depend.refobjid as object_id,
            pg_depend.refobjsubid as column_number,
            holders.is_read
        from reached
        cross join lateral (
            select
                'pg_rewrite'::regclass::oid as class_id,
                pg_rewrite.oid as object_id,
                reached.is_read
                and exists (
                    select from pg_options_to_table(pg_class.reloptions) as options
                    where
                        options.option_name = 'security_invoker'
                        and options.option_value::boolean
                ) as is_read
            from pg_class
            inner join pg_rewrite
                on pg_class.oid = pg_rewrite.ev_class
            where
                reached.class_id = 'pg_class'::regclass
                and pg_class.oid = reached.object_id
                and pg_class.relkind = 'v'

            union all

            -- PostgreSQL records no dependencies of a body in quotes
            select
                reached.class_id,
                pg_proc.oid as object_id,
                true as is_read
            from pg_proc
            where
                reached.class_id = 'pg_proc'::regclass
                and pg_proc.oid = reached.object_id
                and not pg_proc.prosecdef

            union all

            select
                reached.class_id,
                reached.object_id,
                true as is_read
            where reached.class_id = 'pg_operator'::regclass
        ) as holders
        inner join pg_depend
            on
                holders.class_id = pg_depend.classid
                and holders.object_id = pg_depend.objid
                and pg_depend.deptype = 'n'
        where
            (pg_depend.refclassid, pg_depend.refobjid)
            != (reached.class_id, reached.object_id)
    )

    select * from reached
$reached$;

create or replace function pg_temp.needed_rights(of_project boolean)
returns table (role_name text, privilege text, kind text, thing text, column_name text)
language sql as $needed_rights$
    -- The rights that the roles need on what the inputs depend on. column_name '': a
    -- right on the whole object.
    with starting as (
        select
            'customer_health_refresher' as role_name,
            pg_temp.views('input_', of_project) as view_ids

        union all

        select
            'customer_health_write_back' as role_name,
            pg_temp.views('input_orders__customer_statuses', of_project) as view_ids
    ),

    everything as (
        select
            starting.role_name,
            reached.class_id,
            reached.object_id,
            reached.column_number,
            reached.is_read,
            named.schema,
            named.identity
        from starting
        cross join lateral pg_temp.reached(starting.view_ids) as reached
        cross join lateral
            pg_identify_object(reached.class_id, reached.object_id, 0) as named
    ),

    found as (
        select *
        from everything
        where
            schema not in (
                select warehouse.schema_name from pg_temp.warehouse() as warehouse
            )
            and schema != 'information_schema'
            and not starts_with(schema, 'pg_')
    )

    select
        found.role_name,
        'SELECT' as privilege,
        'table' as kind,
        found.identity as thing,
        -- the write-back gets only the columns that it needs
        case
            when found.role_name = 'customer_health_write_back'
                then coalesce(pg_attribute.attname, '')
            else ''
        end as column_name
    from found
    left join pg_attribute
        on
            found.object_id = pg_attribute.attrelid
            and found.column_number = pg_attribute.attnum
            and pg_attribute.attnum > 0
    where
        found.class_id = 'pg_class'::regclass
        and found.is_read

    union

    -- whole rows, as in to_jsonb(row), and system columns: not in pg_depend, but the
    -- rule shows them as numbers below that of the first column
    select
        found.role_name,
        'SELECT' as privilege,
        'table' as kind,
        found.identity as thing,
        '' as column_name
    from everything
    inner join pg_rewrite
        on
            everything.class_id = 'pg_class'::regclass
            and everything.object_id = pg_rewrite.ev_class
            -- the refresher may read the whole table anyway
            and everything.role_name = 'customer_health_write_back'
    cross join lateral regexp_matches(
        pg_rewrite.ev_action::text,
        ':relid (\d+) [^{}]*?:selectedCols \(b [0-7][ )]',
        'g'
    ) as part (words)
    inner join found
        on
            everything.role_name = found.role_name
            and found.class_id = 'pg_class'::regclass
            and found.object_id = part.words[1]::oid
            and found.is_read

    union

    select
        found.role_name,
        'EXECUTE' as privilege,
        'routine' as kind,
        found.identity as thing,
        '' as column_name
    from found
    where found.class_id = 'pg_proc'::regclass

    union

    select
        found.role_name,
        'USAGE' as privilege,
        'schema' as kind,
        quote_ident(found.schema) as thing,
        '' as column_name
    from found

    union

    select
        duties.role_name,
        'UPDATE' as privilege,
        'table' as kind,
        named.identity as thing,
        written.origin as column_name
    from pg_temp.written_columns(of_project) as written
    cross join lateral
        pg_identify_object('pg_class'::regclass, written.table_id, 0) as named
    cross join lateral (
        values
        ('customer_health_write_back', written.is_written),
        ('customer_health_refresher', written.is_hooked)
    ) as duties (role_name, is_theirs)
    where duties.is_theirs
$needed_rights$;

create or replace function pg_temp.given_rights()
returns table (role_name text, privilege text, kind text, thing text, column_name text)
language sql as $given_rights$
    -- the rights granted directly to the two roles, by any grantor
    select
        pg_roles.rolname::text as role_name,
        given.privilege_type as privilege,
        given.kind,
        named.identity as thing,
        given.column_name
    from (
        select
            'pg_class'::regclass as class_id,
            pg_class.oid as object_id,
            rights.grantee,
            rights.privilege_type,
            'table' as kind,
            '' as column_name
        from pg_class
        cross join lateral aclexplode(pg_class.relacl) as rights

        union all

        select
            'pg_class'::regclass as class_id,
            pg_attribute.attrelid as object_id,
            rights.grantee,
            rights.privilege_type,
            'table' as kind,
            pg_attribute.attname as column_name
        from pg_attribute
        cross join lateral aclexplode(pg_attribute.attacl) as rights
        where pg_attribute.attacl is not null

        union all

        select
            'pg_proc'::regclass as class_id,
            pg_proc.oid as object_id,
            rights.grantee,
            rights.privilege_type,
            'routine' as kind,
            '' as column_name
        from pg_proc
        cross join lateral aclexplode(pg_proc.proacl) as rights

        union all

        select
            'pg_namespace'::regclass as class_id,
            pg_namespace.oid as object_id,
            rights.grantee,
            rights.privilege_type,
            'schema' as kind,
            '' as column_name
        from pg_namespace
        cross join lateral aclexplode(pg_namespace.nspacl) as rights
    ) as given
    inner join pg_roles
        on given.grantee = pg_roles.oid
    cross join lateral pg_identify_object(given.class_id, given.object_id, 0) as named
    where
        pg_roles.rolname in ('customer_health_refresher', 'customer_health_write_back')
$given_rights$;

create or replace function pg_temp.lacking_rights(of_project boolean)
returns table (role_name text, privilege text, kind text, thing text, column_name text)
language sql as $lacking_rights$
    -- needed rights that the roles do not have through any grant
    select needed.*
    from pg_temp.needed_rights(of_project) as needed
    where
        case
            when needed.kind = 'schema'
                then not has_schema_privilege(
                    needed.role_name, to_regnamespace(needed.thing)::oid, needed.privilege
                )
            when needed.kind = 'table'
                then not has_table_privilege(
                    needed.role_name, pg_temp.oid_of(needed.thing), needed.privilege
                )
                and (
                    needed.column_name = ''
                    or not has_column_privilege(
                        needed.role_name, pg_temp.oid_of(needed.thing),
                        needed.column_name, needed.privilege
                    )
                )
            -- a function in a schema that the login may not use cannot be looked up by
            -- name
            when
                not has_schema_privilege(
                    to_regnamespace(quote_ident((parse_ident(needed.thing, false))[1]))::oid,
                    'usage'
                )
                then true
            else
                not has_function_privilege(
                    needed.role_name, needed.thing::regprocedure::oid, needed.privilege
                )
        end
$lacking_rights$;

create or replace function pg_temp.follow_renames()
returns void
language plpgsql as $follow_renames$
-- A renamed table or column keeps its rights. A name that is still there counts more
-- than a number: a restored database has other numbers.
declare
    change record;
begin
    for change in
        with tables as (
            select
                noted.role_name,
                noted.privilege,
                noted.kind,
                noted.thing,
                noted.column_name,
                noted.column_number,
                pg_class.oid as id
            from operations.source_grants as noted
            inner join pg_class
                on
                    pg_class.oid = coalesce(pg_temp.oid_of(noted.thing), noted.table_id)
                    and pg_class.relkind in ('r', 'p', 'v', 'm', 'f')
            where noted.kind = 'table'
        ),

        found as (
            select
                tables.*,
                named.identity as new_thing,
                coalesce(by_name.attname, by_number.attname, '') as new_column
            from tables
            cross join lateral
                pg_identify_object('pg_class'::regclass, tables.id, 0) as named
            left join pg_attribute as by_name
                on
                    tables.id = by_name.attrelid
                    and tables.column_name = by_name.attname
                    and not by_name.attisdropped
            left join pg_attribute as by_number
                on
                    tables.id = by_number.attrelid
                    and tables.column_number = by_number.attnum
                    and not by_number.attisdropped
        )

        select found.*
        from found
        where
            (found.thing, found.column_name) != (found.new_thing, found.new_column)
            -- a dropped column has taken its grants with it
            and (found.column_name = '') = (found.new_column = '')
    loop
        delete from operations.source_grants as noted
        where
            (noted.role_name, noted.privilege, noted.kind, noted.thing, noted.column_name)
            = (
                change.role_name, change.privilege, change.kind, change.thing,
                change.column_name
            );
        insert into operations.source_grants
        values (
            change.role_name, change.privilege, change.kind, change.new_thing,
            change.new_column, change.id, change.column_number
        )
        on conflict do nothing;
    end loop;
end
$follow_renames$;

create or replace function pg_temp.revoke_noted(kept boolean)
returns void
language plpgsql as $revoke_noted$
-- Revoke what we have granted and nobody needs any more. Not kept: only what the
-- functions of the hook needed, whatever the inputs say.
declare
    change record;
begin
    for change in
        (
            select
                noted.role_name,
                noted.privilege,
                noted.kind,
                noted.thing,
                noted.column_name
            from operations.source_grants as noted
            where
                kept
                or (noted.role_name, noted.privilege)
                = ('customer_health_refresher', 'UPDATE')
            except
            (
                select needed.*
                from pg_temp.needed_rights(true) as needed
                where kept
                union
                -- keep what the built inputs still need until a refresh replaces them
                select needed.*
                from pg_temp.needed_rights(false) as needed
                where kept
            )
        )
        -- skip rights that are gone with their table or column
        intersect
        select given.* from pg_temp.given_rights() as given
    loop
        execute format(
            'revoke %s%s on %s %s from %I', change.privilege,
            ' (' || quote_ident(nullif(change.column_name, '')) || ')', change.kind,
            change.thing, change.role_name
        );
    end loop;

    delete from operations.source_grants as noted
    where
        (noted.role_name, noted.privilege, noted.kind, noted.thing, noted.column_name)
        not in (select given.* from pg_temp.given_rights() as given);
end
$revoke_noted$;

create or replace function pg_temp.revoke_from_hook()
returns void
language plpgsql set client_min_messages = error as $revoke_from_hook$
-- While views are detached, the inputs may not fit the tables, so nobody asks them.
begin
    perform pg_temp.follow_renames();
    if not pg_temp.is_hooked() then
        perform pg_temp.revoke_noted(false);
    end if;
end
$revoke_from_hook$;

create or replace function pg_temp.grant_sources()
returns void
language plpgsql set client_min_messages = error as $grant_sources$
-- Grant missing rights and record them. Revoke recorded rights that are no longer
-- needed, for example on a table that is no longer mapped. Grants of others stay.
-- lacking_rights() reports what the login may not grant.
declare
    change record;
    held boolean;
begin
    perform pg_temp.follow_renames();
    perform pg_temp.revoke_noted(true);

    for change in
        select needed.*
        from (
            select needed.* from pg_temp.needed_rights(true) as needed
            except
            select given.* from pg_temp.given_rights() as given
        ) as needed
        where
            -- most other rights belong to public anyway
            needed.kind = 'table'
            or (needed.kind, needed.thing, needed.role_name) in (
                select
                    lacking.kind,
                    lacking.thing,
                    lacking.role_name
                from pg_temp.lacking_rights(true) as lacking
            )
    loop
        begin
            execute format(
                'grant %s%s on %s %s to %I', change.privilege,
                ' (' || quote_ident(nullif(change.column_name, '')) || ')', change.kind,
                change.thing, change.role_name
            );
        exception when insufficient_privilege then
            continue;
        end;
        -- if the login may not grant it, PostgreSQL only warns
        select count(*) > 0 into held
        from pg_temp.given_rights() as given
        where given = change;
        if held then
            insert into operations.source_grants
            values (
                change.role_name, change.privilege, change.kind, change.thing,
                change.column_name
            )
            on conflict do nothing;
        end if;
    end loop;

    update operations.source_grants as noted
    set
        table_id = pg_temp.oid_of(noted.thing),
        column_number = (
            select pg_attribute.attnum
            from pg_attribute
            where
                pg_attribute.attrelid = pg_temp.oid_of(noted.thing)
                and pg_attribute.attname = noted.column_name
        )
    where noted.kind = 'table';
end
$grant_sources$;

create or replace function pg_temp.excess_rights()
returns table (role_name text, relation text, rights text)
language sql as $excess_rights$
    -- rights of the roles to change what inputs read, beyond their duty, through any
    -- grant
    with relations as (
        select distinct pg_temp.oid_of(needed.thing) as id
        from pg_temp.needed_rights(true) as needed
        where needed.kind = 'table'
    ),

    roles (rolname) as (
        values
        ('customer_health_refresher'), ('customer_health_write_back'),
        ('customer_health_analyst'), ('customer_health_tenant')
    ),

    found as (
        select
            roles.rolname,
            relations.id,
            verb.name
        from relations
        cross join roles
        cross join unnest('{insert, delete, truncate, trigger}'::text[]) as verb (name)
        where has_table_privilege(roles.rolname, relations.id, verb.name)

        union all

        select
            roles.rolname,
            relations.id,
            format('update (%s)', pg_attribute.attname) as name
        from relations
        cross join roles
        inner join pg_attribute
            on
                relations.id = pg_attribute.attrelid
                and pg_attribute.attnum > 0
                and not pg_attribute.attisdropped
        where
            not exists (
                select
                from pg_temp.written_columns(true) as written
                where
                    relations.id = written.table_id
                    and pg_attribute.attname = written.origin
                    and case roles.rolname
                        when 'customer_health_write_back' then written.is_written
                        when 'customer_health_refresher' then written.is_hooked
                    end
            )
            and has_column_privilege(
                roles.rolname, relations.id, pg_attribute.attnum, 'update'
            )
    )

    select
        found.rolname as role_name,
        found.id::regclass::text as relation,
        string_agg(found.name, ', ' order by found.name) as rights
    from found
    group by found.rolname, found.id
    order by found.rolname, found.id::regclass::text
$excess_rights$;
