-- Functions that create the roles, grant their rights and drop them again. They live in
-- pg_temp for one session: they run with the rights of the login, so nobody else may
-- have created them. Each can be called repeatedly.

-- the bodies name roles and tables that do not exist yet
set local check_function_bodies = off;

create or replace function pg_temp.groups()
returns text[]
language sql immutable as $groups$
    -- in the order of dropping
    select '{
        customer_health_tenant, customer_health_analyst, customer_health_contact_writer,
        customer_health_write_back, customer_health_refresher
    }'::text[]
$groups$;

create or replace function pg_temp.foreign_roles(tenant_role_names text[])
returns table (role_name text)
language sql as $foreign_roles$
    -- Roles with one of our names but without our mark. Roles belong to the whole
    -- server: a marked role from another database is ours, too.
    select pg_roles.rolname::text as role_name
    from pg_roles
    where
        (
            pg_roles.rolname = any(pg_temp.groups())
            or (
                pg_roles.rolname = any(tenant_role_names)
                and starts_with(pg_roles.rolname::text, 'customer_health_tenant_')
            )
        )
        and starts_with(
            shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: '
        ) is not true
    order by pg_roles.rolname
$foreign_roles$;

create or replace function pg_temp.tenant_comment()
returns text
language sql as $tenant_comment$
    -- roles belong to the whole server, so each comment names its database; the oid
    -- counts, because a database can be renamed, and the name is for people
    select
        format(
            'customer_health: reads the rows of its tenant in database %s (%s), see '
            '`roles status`',
            pg_database.datname, pg_database.oid
        )
    from pg_database
    where pg_database.datname = current_database()
$tenant_comment$;

create or replace function pg_temp.tenant_databases()
returns table (role_name text, database_name text)
language sql as $tenant_databases$
    -- the database that a tenant's role belongs to
    select
        pg_roles.rolname::text as role_name,
        pg_database.datname::text as database_name
    from pg_roles
    inner join pg_database
        on position(
            format('(%s), see ', pg_database.oid)
            in shobj_description(pg_roles.oid, 'pg_authid')
        ) > 0
    where
        starts_with(pg_roles.rolname::text, 'customer_health_tenant_')
        and starts_with(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ')
$tenant_databases$;

create or replace function pg_temp.of_other_databases(role_names text[])
returns table (role_name text, database_name text)
language sql as $of_other_databases$
    -- in a copy of a database the map names the roles of the original
    select
        tenants.role_name,
        tenants.database_name
    from pg_temp.tenant_databases() as tenants
    where
        tenants.role_name = any(role_names)
        and tenants.database_name != current_database()
$of_other_databases$;

create or replace function pg_temp.tenant_role_names(mapped text[])
returns text[]
language sql as $tenant_role_names$
    -- The tenant roles of this database: those whose comment says so, because the map
    -- may be gone, and those in the map that belong to no other database, as after a
    -- restore.
    select coalesce(array_agg(pg_roles.rolname::text order by pg_roles.rolname), '{}')
    from pg_roles
    where
        starts_with(pg_roles.rolname::text, 'customer_health_tenant_')
        and starts_with(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ')
        and (
            pg_roles.rolname in (
                select tenants.role_name
                from pg_temp.tenant_databases() as tenants
                where tenants.database_name = current_database()
            )
            or (
                pg_roles.rolname = any(mapped)
                and pg_roles.rolname not in (
                    select others.role_name
                    from pg_temp.of_other_databases(mapped) as others
                )
            )
        )
$tenant_role_names$;

create or replace function pg_temp.groups_here()
returns text[]
language sql as $groups_here$
    -- our roles that own an object in this database or have a right on one
    select coalesce(array_agg(groups.role_name order by groups.place), '{}')
    from unnest(pg_temp.groups()) with ordinality as groups (role_name, place)
    inner join pg_roles
        on groups.role_name = pg_roles.rolname
    where
        starts_with(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ')
        and exists (
            select
            from pg_shdepend
            inner join pg_database
                on pg_database.datname = current_database()
            where
                pg_shdepend.refclassid = 'pg_authid'::regclass
                and pg_shdepend.refobjid = pg_roles.oid
                and (
                    pg_shdepend.dbid = pg_database.oid
                    or (
                        pg_shdepend.classid = 'pg_database'::regclass
                        and pg_shdepend.objid = pg_database.oid
                    )
                )
        )
$groups_here$;

create or replace function pg_temp.mighty_roles()
returns table (role_name text)
language sql as $mighty_roles$
    -- our roles that neither row security nor missing grants would stop
    select pg_roles.rolname::text as role_name
    from pg_roles
    where
        starts_with(pg_roles.rolname::text, 'customer_health_')
        and starts_with(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ')
        and (
            pg_roles.rolsuper
            or pg_roles.rolcreaterole
            or (
                -- the refresher may need it if sources have row security
                pg_roles.rolbypassrls
                and pg_roles.rolname != 'customer_health_refresher'
            )
        )
    order by pg_roles.rolname
$mighty_roles$;

create or replace function pg_temp.create_roles()
returns void
language plpgsql as $create_roles$
declare
    duty record;
begin
    for duty in
        select *
        from (
            values
            ('customer_health_refresher', 'owns the warehouse, reads the sources'),
            ('customer_health_write_back', 'writes the seven columns, nothing else'),
            ('customer_health_analyst', 'reads analytics, all tenants'),
            (
                'customer_health_contact_writer',
                'adds contacts with customers, of the tenants that it reads'
            ),
            ('customer_health_tenant', 'what the roles of single tenants have in common')
        ) as duties (role_name, does)
    loop
        if to_regrole(duty.role_name) is null then
            begin
                execute format('create role %I nologin', duty.role_name);
                execute format(
                    'comment on role %I is %L',
                    duty.role_name, 'customer_health: ' || duty.does
                );
            exception when unique_violation or duplicate_object then
                -- another database of the server has just done this
                null;
            end;
        end if;
    end loop;

    -- the login also writes back
    perform
        pg_temp.join_role('customer_health_refresher'),
        pg_temp.join_role('customer_health_write_back');
    if not has_database_privilege(
        'customer_health_refresher', current_database(), 'temporary'
    ) then
        execute format(
            'grant temporary on database %I to customer_health_refresher', current_database()
        );
    end if;
end
$create_roles$;

create or replace function pg_temp.join_role(this_role text)
returns void
language plpgsql as $join_role$
-- A login that may create roles is not automatically a member of them, which it must be
-- to hand objects over.
begin
    if not pg_has_role(this_role, 'usage') then
        execute format('grant %I to current_user', this_role);
    end if;
exception when insufficient_privilege then
    raise insufficient_privilege using message = format(
        'role %s exists, and %s may not grant it to itself: its creator can '
        '`grant %1$s to %2$s with admin option`',
        this_role, quote_ident(current_user)
    );
end
$join_role$;

create or replace function pg_temp.warehouse()
returns table (schema_name name)
language sql immutable as $warehouse$
    values
    ('analytics'::name), ('analytics_internal'), ('analytics_internal_failures'),
    ('operations')
$warehouse$;

create or replace function pg_temp.create_schemas()
returns void
language plpgsql as $create_schemas$
declare
    missing name;
begin
    for missing in
        select warehouse.schema_name
        from pg_temp.warehouse() as warehouse
        where
            not exists (
                select from pg_namespace where pg_namespace.nspname = warehouse.schema_name
            )
    loop
        execute format('create schema %I authorization customer_health_refresher', missing);
        execute format('comment on schema %I is %L', missing, 'customer_health: ' || missing);
    end loop;
end
$create_schemas$;

create or replace function pg_temp.things()
returns table (
    thing text,
    step integer,
    owner_id oid,
    schema_name name,
    is_ours boolean,
    is_of_capture boolean,
    is_of_queue boolean
)
language sql as $things$
    -- The objects of the warehouse that have an owner: the schemas, and what our
    -- commands have created in them. A schema without our comment belongs to others.
    -- is_of_capture: the function of the triggers on one table. is_of_queue: such a
    -- function, one of the real-time hook, or a table that they write to. These change
    -- hands together: a change of the application that comes in between would be lost.
    with schemas as (
        select
            pg_namespace.oid,
            pg_namespace.nspname,
            pg_namespace.nspowner,
            starts_with(
                obj_description(pg_namespace.oid, 'pg_namespace'), 'customer_health: '
            ) is true as is_ours
        from pg_namespace
        inner join pg_temp.warehouse() as warehouse
            on pg_namespace.nspname = warehouse.schema_name
    )

    select
        format('schema %I', schemas.nspname) as thing,
        1 as step,
        schemas.nspowner as owner_id,
        schemas.nspname as schema_name,
        schemas.is_ours,
        false as is_of_capture,
        false as is_of_queue
    from schemas

    union all

    select
        format('table %I.%I', schemas.nspname, pg_class.relname) as thing,
        2 as step,
        pg_class.relowner as owner_id,
        schemas.nspname as schema_name,
        true as is_ours,
        false as is_of_capture,
        schemas.nspname = 'operations'
        and pg_class.relname in ('changed_keys', 'hook_errors') as is_of_queue
    from pg_class
    inner join schemas
        on pg_class.relnamespace = schemas.oid
    where
        -- indexes and sequences of columns follow their table
        pg_class.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
        and starts_with(obj_description(pg_class.oid, 'pg_class'), 'customer_health: ')
        and not exists (
            select
            from pg_depend
            where
                pg_depend.classid = 'pg_class'::regclass
                and pg_depend.objid = pg_class.oid
                and pg_depend.deptype in ('a', 'i')
                and pg_depend.refobjsubid > 0
        )

    union all

    select
        'routine ' || pg_proc.oid::regprocedure::text as thing,
        2 as step,
        pg_proc.proowner as owner_id,
        schemas.nspname as schema_name,
        true as is_ours,
        starts_with(pg_proc.proname::text, 'capture_') as is_of_capture,
        starts_with(pg_proc.proname::text, 'capture_')
        or pg_proc.proname in ('after_order_created', 'after_orders_created')
            as is_of_queue
    from pg_proc
    inner join schemas
        on pg_proc.pronamespace = schemas.oid
    where
        starts_with(obj_description(pg_proc.oid, 'pg_proc'), 'customer_health: ')
$things$;

create or replace function pg_temp.note_owners()
returns void
language plpgsql as $note_owners$
-- Record the owners of the warehouse before it is given to the refresher.
-- flows/sql/row_security.sql creates the table again if somebody drops it.
begin
    if to_regclass('operations.former_owners') is null then
        create table operations.former_owners (
            thing text primary key,
            owner_name text not null
        );
        comment on table operations.former_owners is 'customer_health: ';
    end if;

    with owned as (
        select
            things.thing,
            pg_roles.rolname::text as owner_name
        from pg_temp.things() as things
        inner join pg_roles
            on things.owner_id = pg_roles.oid
        where
            things.owner_id != to_regrole('customer_health_refresher')
            and things.is_ours
    )

    insert into operations.former_owners (thing, owner_name)
    select
        owned.thing,
        owned.owner_name
    from owned

    union all

    -- and the owner for objects that the refresher creates later: the one who owned
    -- most
    (
        select
            '' as thing,
            owned.owner_name
        from owned
        group by owned.owner_name
        order by count(*) desc, owned.owner_name
        limit 1
    )
    on conflict (thing) do nothing;
end
$note_owners$;

create or replace function pg_temp.handing_over()
returns table (things text, statement text)
language sql as $handing_over$
    -- The statements that make the refresher the owner of the warehouse, each in a short
    -- transaction. Objects of others stay theirs.
    with foreign_things as (
        select
            things.*,
            schemas.owner_id as schema_owner_id
        from pg_temp.things() as things
        inner join pg_temp.things() as schemas
            on
                things.schema_name = schemas.schema_name
                and schemas.step = 1
        where things.owner_id != to_regrole('customer_health_refresher')
    ),

    statements as (
        select
            1 as step,
            thing as things,
            format('grant usage, create on %s to customer_health_refresher', thing)
                as statement
        from foreign_things
        where step = 1

        union all

        -- through it analysts and the write-back get access to the schema
        select
            1 as step,
            thing as things,
            format(
                'grant usage on %s to customer_health_refresher with grant option', thing
            ) as statement
        from foreign_things
        where
            step = 1
            and not is_ours

        union all

        select
            2 as step,
            string_agg(thing, ', ' order by thing) as things,
            string_agg(
                format('alter %s owner to customer_health_refresher', thing), '; '
                order by thing
            ) as statement
        from foreign_things
        where
            step = 2
            and (
                schema_name != 'analytics'
                or owner_id in (
                    schema_owner_id,
                    (select pg_roles.oid from pg_roles where pg_roles.rolname = current_user)
                )
            )
            -- The functions of triggers run with the rights of their owner, and
            -- `capture install` has tried those. They stay with an owner that may write
            -- to the queue, or that is not ours to take them from: capture_status says
            -- if they can no longer write. A superuser's rights are too many for them.
            and not (
                is_of_capture
                and not (
                    select owners.rolsuper
                    from pg_roles as owners
                    where foreign_things.owner_id = owners.oid
                )
                and (
                    pg_has_role(owner_id, 'customer_health_refresher', 'usage')
                    or not pg_has_role(owner_id, 'usage')
                )
            )
        group by case when not is_of_queue then thing end

        union all

        select
            3 as step,
            thing as things,
            format('alter %s owner to customer_health_refresher', thing) as statement
        from foreign_things
        where
            step = 1
            and is_ours
    )

    select
        statements.things,
        statements.statement
    from statements
    order by statements.step, statements.statement
$handing_over$;

create or replace function pg_temp.giving_back()
returns table (place bigint, things text[], had_them text[])
language plpgsql as $giving_back$
-- What the refresher owns of the warehouse, with its former owners, in groups that
-- change hands in one short transaction each. Schemas come last: in theirs the commands
-- work as the refresher, and nobody else may have to use them before.
declare
    former jsonb := '{}';
begin
    if to_regclass('operations.former_owners') is not null then
        select coalesce(jsonb_object_agg(noted.thing, noted.owner_name), '{}') into former
        from operations.former_owners as noted;
    end if;
    return query
    with owned as (
        select
            things.thing,
            things.is_of_queue,
            things.thing = 'table operations.former_owners' as is_dropped,
            things.step = 1 or things.thing = 'table operations.former_owners' as is_last
        from pg_temp.things() as things
        where things.owner_id = to_regrole('customer_health_refresher')
    )

    select
        row_number() over (order by owned.is_last, min(owned.thing)) as place,
        array_agg(owned.thing order by owned.is_dropped desc, owned.thing) as things,
        array_agg(
            coalesce(former ->> owned.thing, former ->> '', current_user)
            order by owned.is_dropped desc, owned.thing
        ) as had_them
    from owned
    group by
        owned.is_last,
        case when not (owned.is_last or owned.is_of_queue) then owned.thing end;
end
$giving_back$;

create or replace function pg_temp.admit_owners()
returns void
language plpgsql as $admit_owners$
-- Before anything is given back: who owned a schema may create its objects there again.
declare
    this record;
begin
    for this in
        select
            schemas.thing,
            schemas.owner_name
        from pg_temp.giving_back() as returned
        cross join lateral
            unnest(returned.things, returned.had_them) as schemas (thing, owner_name)
        inner join pg_roles
            on
                schemas.owner_name = pg_roles.rolname
                and pg_has_role(pg_roles.oid, 'member')
        where starts_with(schemas.thing, 'schema ')
    loop
        execute format('grant usage, create on %s to %I', this.thing, this.owner_name);
    end loop;
end
$admit_owners$;

create or replace function pg_temp.give_back(things text[], had_them text[])
returns table (owner_name text, former_name text, because text)
language plpgsql as $give_back$
-- Return these objects to their former owners; return who owns each now. If an owner is
-- gone or the login may not give an object back, the login becomes its owner.
declare
    this record;
begin
    for this in
        select *
        from unnest(things, had_them) as returned (thing, had_it)
    loop
        if this.thing = 'table operations.former_owners' then
            drop table operations.former_owners;
            continue;
        end if;
        owner_name := this.had_it;
        former_name := this.had_it;
        because := null;
        if to_regrole(quote_ident(this.had_it)) is null then
            because := 'is gone';
            owner_name := current_user;
        end if;
        begin
            execute format('alter %s owner to %I', this.thing, owner_name);
        exception when insufficient_privilege then
            because := sqlerrm;
            owner_name := current_user;
            execute format('alter %s owner to %I', this.thing, owner_name);
        end;
        return next;
    end loop;
end
$give_back$;

create or replace function pg_temp.create_tenant_roles()
returns bigint
language plpgsql as $create_tenant_roles$
declare
    missing text;
    created bigint := 0;
begin
    for missing in
        select tenant_roles.role_name
        from operations.tenant_roles
        where
            starts_with(tenant_roles.role_name, 'customer_health_tenant_')
            and to_regrole(quote_ident(tenant_roles.role_name)) is null
    loop
        execute format('create role %I nologin in role customer_health_tenant', missing);
        execute format(
            'comment on role %I is %L', missing, pg_temp.tenant_comment()
        );
        created := created + 1;
    end loop;
    -- the database was renamed, or is a copy
    for missing in
        select tenants.role_name
        from
            unnest(
                pg_temp.tenant_role_names(
                    array(select tenant_roles.role_name from operations.tenant_roles)
                )
            ) as tenants (role_name)
        where
            shobj_description(to_regrole(quote_ident(tenants.role_name)), 'pg_authid')
            != pg_temp.tenant_comment()
    loop
        execute format(
            'comment on role %I is %L', missing, pg_temp.tenant_comment()
        );
    end loop;
    return created;
end
$create_tenant_roles$;

create or replace function pg_temp.blind_readers()
returns table (role_name text, marts_count bigint)
language sql as $blind_readers$
    -- roles that may read marts by a grant that is not ours, but see no row by any
    -- policy
    select
        readers.rolname::text as role_name,
        count(distinct marts.oid) as marts_count
    from pg_class as marts
    cross join lateral aclexplode(marts.relacl) as rights
    inner join pg_roles as readers
        on
            rights.grantee = readers.oid
            and not readers.rolsuper
            and not readers.rolbypassrls
    where
        marts.relnamespace = 'analytics'::regnamespace
        and marts.relrowsecurity
        and rights.privilege_type = 'SELECT'
        and not pg_has_role(readers.oid, marts.relowner, 'usage')
        and not exists (
            select
            from pg_policy
            cross join lateral unnest(pg_policy.polroles) as shown (role_id)
            where
                pg_policy.polrelid = marts.oid
                and (
                    shown.role_id = 0
                    or pg_has_role(readers.oid, shown.role_id, 'usage')
                )
        )
    group by readers.rolname
    order by readers.rolname
$blind_readers$;

create or replace function pg_temp.opening(mapped text[])
returns table (things text, statement text)
language sql as $opening$
    -- The statements that switch row security off on the marts and the contacts, except
    -- on those with policies of others. Each first takes the rights of our roles and of
    -- those in the map, also rights that others have granted: they would see the rows of
    -- all tenants. mapped: the roles in the map.
    with ours as (
        select string_agg(distinct quote_ident(pg_roles.rolname), ', ') as names
        from unnest(pg_temp.groups() || mapped || pg_temp.tenant_role_names(mapped))
            as roles (role_name)
        inner join pg_roles
            on roles.role_name = pg_roles.rolname
        where pg_roles.rolname != 'customer_health_refresher'
    ),

    policies as (
        select
            marts.oid as mart_id,
            pg_policy.polname in (
                'tenants_see_their_rows', 'analysts_see_all_rows',
                'tenants_add_their_rows', 'analysts_add_any_row'
            ) as is_ours,
            format('drop policy %I on %s', pg_policy.polname, marts.oid::regclass)
                as drop_it
        from pg_class as marts
        inner join pg_policy
            on marts.oid = pg_policy.polrelid
        where
            (
                marts.relnamespace = to_regnamespace('analytics')
                or marts.oid = to_regclass('operations.customer_contacts')
            )
            and marts.relowner = to_regrole('customer_health_refresher')
    )

    select
        mart_id::regclass::text as things,
        concat_ws(
            '; ',
            (select format('revoke all on %s from ', mart_id::regclass) || names from ours),
            string_agg(drop_it, '; ') filter (where is_ours),
            case
                when bool_and(is_ours)
                    then format(
                        'alter table %s disable row level security', mart_id::regclass
                    )
            end
        ) as statement
    from policies
    group by mart_id
    having bool_or(is_ours)

    union all

    select
        'operations.missing_rights, operations.source_grants, operations.tenant_roles'
            as things,
        'drop view if exists operations.missing_rights;'
        ' drop function if exists operations.map_tenants;'
        ' drop table if exists operations.tenant_roles, operations.source_grants;'
        ' delete from operations.installed_scripts where script = ''row_security.sql'''
        as statement
    from pg_class
    where
        pg_class.oid = to_regclass('operations.installed_scripts')
        and pg_class.relowner = to_regrole('customer_health_refresher')
$opening$;

create or replace function pg_temp.readers_of_map()
returns table (thing text)
language sql as $readers_of_map$
    -- what others have made from the map of tenants: it cannot be dropped before that
    select distinct
        coalesce(
            pg_describe_object('pg_class'::regclass, pg_rewrite.ev_class, 0),
            pg_describe_object(pg_depend.classid, pg_depend.objid, 0)
        ) as thing
    from pg_depend
    left join pg_rewrite
        on
            pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.objid = pg_rewrite.oid
    left join pg_policy
        on
            pg_depend.classid = 'pg_policy'::regclass
            and pg_depend.objid = pg_policy.oid
    where
        pg_depend.refclassid = 'pg_class'::regclass
        and pg_depend.refobjid = to_regclass('operations.tenant_roles')
        and pg_depend.deptype = 'n'
        and (
            pg_policy.polname in (
                'roles_see_themselves', 'tenants_see_their_rows', 'tenants_add_their_rows'
            )
        ) is not true
    order by 1
$readers_of_map$;

create or replace function pg_temp.belongings_of_others()
returns table (role_name text, thing text)
language sql as $belongings_of_others$
    -- objects that one of our roles owns but no command of ours has created
    select
        pg_roles.rolname::text as role_name,
        pg_describe_object(owned.classid, owned.objid, 0) as thing
    from pg_shdepend as owned
    inner join pg_roles
        on
            owned.refobjid = pg_roles.oid
            and pg_roles.rolname = any(pg_temp.groups())
    left join pg_namespace
        on
            owned.classid = 'pg_namespace'::regclass
            and owned.objid = pg_namespace.oid
    -- a sequence belongs to its column
    left join pg_depend
        on
            owned.classid = pg_depend.classid
            and owned.objid = pg_depend.objid
            and pg_depend.classid = 'pg_class'::regclass
            and pg_depend.deptype in ('a', 'i')
            and pg_depend.refobjsubid > 0
    where
        owned.refclassid = 'pg_authid'::regclass
        and owned.deptype = 'o'
        -- in this database, or shared objects
        and owned.dbid in (
            0, (select pg_database.oid from pg_database where datname = current_database())
        )
        -- default privileges are dropped with the role
        and owned.classid != 'pg_default_acl'::regclass
        and coalesce(pg_namespace.nspname not in (select * from pg_temp.warehouse()), true)
        and starts_with(
            obj_description(
                coalesce(pg_depend.refobjid, owned.objid), owned.classid::regclass::text
            ),
            'customer_health: '
        ) is not true
    order by pg_roles.rolname, pg_describe_object(owned.classid, owned.objid, 0)
$belongings_of_others$;

create or replace function pg_temp.drop_roles(mapped text[])
returns table (role_name text, because text)
language plpgsql as $drop_roles$
-- Drop the roles; return those that stay, and why, for example because another database
-- uses them. Roles that somebody else has created and put into the map are not touched.
-- mapped: the roles in the map.
declare
    this_role text;
    detail text;
    elsewhere text[];
    grant_again text;
begin
    return query
    select
        others.role_name,
        'is of database ' || others.database_name
    from pg_temp.of_other_databases(mapped) as others;

    foreach this_role in array pg_temp.tenant_role_names(mapped) || pg_temp.groups()
    loop
        elsewhere := '{}';
        continue when starts_with(
            shobj_description(to_regrole(quote_ident(this_role)), 'pg_authid'),
            'customer_health: '
        ) is not true;
        if this_role = any(pg_temp.groups()) then
            -- skip a role that is used only elsewhere
            continue when this_role != all(pg_temp.groups_here())
            and exists (
                select from pg_shdepend
                where
                    pg_shdepend.refclassid = 'pg_authid'::regclass
                    and pg_shdepend.refobjid = to_regrole(this_role)
            );
            perform pg_temp.join_role(this_role);
            -- everything that it owns here is ours: belongings_of_others() was checked
            -- before
            execute format('reassign owned by %I to %I', this_role, current_user);
            -- `drop owned` also revokes its rights on other databases: remember them
            elsewhere := array(
                select format(
                    'grant %s on database %I to %I%s', rights.privilege_type,
                    pg_database.datname, this_role,
                    case when rights.is_grantable then ' with grant option' end
                )
                from pg_database
                cross join lateral aclexplode(pg_database.datacl) as rights
                where
                    pg_database.datname != current_database()
                    and rights.grantee = to_regrole(this_role)
            );
            execute format('drop owned by %I', this_role);
        end if;
        begin
            execute format('drop role %I', this_role);
        exception when dependent_objects_still_exist then
            get stacked diagnostics detail = pg_exception_detail;
            foreach grant_again in array elsewhere
            loop
                execute grant_again;
            end loop;
            role_name := this_role;
            because := replace(detail, chr(10), ', ');
            return next;
        end;
    end loop;
end
$drop_roles$;
