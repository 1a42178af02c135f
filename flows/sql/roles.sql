-- The roles: what creates them, gives them their rights and takes them away again. For
-- one session, in pg_temp: they run with the rights of the login, so nobody else may
-- have put them there. Each can be called again and again.

-- they name roles and tables that the first of them makes
set local check_function_bodies = off;

create or replace function pg_temp.groups()
returns text[]
language sql immutable as $groups$
    -- in the order in which they can be dropped
    select '{
        customer_health_tenant, customer_health_analyst, customer_health_write_back,
        customer_health_refresher
    }'::text[]
$groups$;

create or replace function pg_temp.foreign_roles(tenant_role_names text[])
returns table (role_name text)
language sql as $foreign_roles$
    -- What has the name of a role of ours without the mark of one. Roles are of the whole
    -- server: a marked one that another database has made is ours, too.
    select pg_roles.rolname::text as role_name
    from pg_roles
    where
        (
            pg_roles.rolname = any(pg_temp.groups())
            or (
                pg_roles.rolname = any(tenant_role_names)
                and starts_with(pg_roles.rolname, 'customer_health_tenant_')
            )
        )
        and starts_with(
            shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: '
        ) is not true
    order by pg_roles.rolname
$foreign_roles$;

create or replace function pg_temp.mighty_roles()
returns table (role_name text)
language sql as $mighty_roles$
    -- roles of ours that row security or a missing grant would not stop
    select pg_roles.rolname::text as role_name
    from pg_roles
    where
        starts_with(pg_roles.rolname, 'customer_health_')
        and starts_with(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ')
        and (
            pg_roles.rolsuper
            or pg_roles.rolcreaterole
            or (
                -- the refresher may need it, where sources have row security
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
            ('customer_health_tenant', 'what the roles of single tenants have in common')
        ) as duties (role_name, does)
    loop
        if to_regrole(duty.role_name) is null then
            execute format('create role %I nologin', duty.role_name);
            execute format(
                'comment on role %I is %L', duty.role_name, 'customer_health: ' || duty.does
            );
        end if;
    end loop;

    -- one who may create roles is not yet one of them, and must be to hand things over
    if not pg_has_role('customer_health_refresher', 'usage') then
        grant customer_health_refresher to current_user;
    end if;
    if not has_database_privilege(
        'customer_health_refresher', current_database(), 'temporary'
    ) then
        execute format(
            'grant temporary on database %I to customer_health_refresher', current_database()
        );
    end if;
end
$create_roles$;

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

create or replace function pg_temp.handing_over()
returns table (statement text)
language sql as $handing_over$
    -- What makes the refresher the owner of the warehouse. What others have put there stays
    -- theirs, and so does a schema that they have made: ours have a comment that says so.
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
    ),

    things as (
        select
            pg_class.relnamespace as schema_id,
            pg_class.relowner as owner_id,
            format('table %I.%I', schemas.nspname, pg_class.relname) as thing
        from pg_class
        inner join schemas
            on pg_class.relnamespace = schemas.oid
        where
            -- indexes and what a column owns go with their table
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
            pg_proc.pronamespace as schema_id,
            pg_proc.proowner as owner_id,
            'routine ' || pg_proc.oid::regprocedure::text as thing
        from pg_proc
        inner join schemas
            on pg_proc.pronamespace = schemas.oid
        where
            starts_with(obj_description(pg_proc.oid, 'pg_proc'), 'customer_health: ')
    ),

    statements as (
        select
            1 as step,
            format('grant usage, create on schema %I to customer_health_refresher', nspname)
                as statement
        from schemas
        where nspowner != to_regrole('customer_health_refresher')

        union all

        -- its analysts and its write-back get in by it
        select
            1 as step,
            format(
                'grant usage on schema %I to customer_health_refresher with grant option',
                nspname
            ) as statement
        from schemas
        where
            nspowner != to_regrole('customer_health_refresher')
            and not is_ours

        union all

        select
            2 as step,
            format('alter %s owner to customer_health_refresher', things.thing) as statement
        from things
        inner join schemas
            on things.schema_id = schemas.oid
        where
            things.owner_id != to_regrole('customer_health_refresher')
            and (
                schemas.nspname != 'analytics'
                or things.owner_id in (
                    schemas.nspowner,
                    (select pg_roles.oid from pg_roles where pg_roles.rolname = current_user)
                )
            )

        union all

        select
            3 as step,
            format('alter schema %I owner to customer_health_refresher', nspname)
                as statement
        from schemas
        where
            nspowner != to_regrole('customer_health_refresher')
            and is_ours
    )

    select statements.statement
    from statements
    order by statements.step, statements.statement
$handing_over$;

create or replace function pg_temp.written_columns()
returns table (
    column_name name, table_id oid, origin name, is_written boolean, is_hooked boolean
)
language sql as $written_columns$
    -- where the columns of the input that is written through come from: PostgreSQL notes
    -- that in the view's rule
    select
        part.words[1]::name as column_name,
        pg_attribute.attrelid as table_id,
        pg_attribute.attname as origin,
        part.words[1] = any(
            '{
                account_type, risk_status, last_order_date, next_expected_order_date,
                average_order_interval_days, dormancy_since, reactivated_date
            }'::text[]
        )
        as is_written,
        -- by the functions of the real-time hook, which are the refresher's: while a
        -- trigger calls them, or somebody else may
        part.words[1] = any('{account_type, last_order_date, dormancy_since}'::text[])
        and (
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
        ) as is_hooked
    from pg_rewrite
    cross join lateral regexp_matches(
        pg_rewrite.ev_action::text,
        ':resname (\S+) :ressortgroupref \d+ :resorigtbl (\d+) :resorigcol (\d+)',
        'g'
    ) as part (words)
    inner join pg_attribute
        on
            pg_attribute.attrelid = part.words[2]::oid
            and pg_attribute.attnum = part.words[3]::smallint
            and pg_attribute.attgenerated = ''
    inner join pg_attribute as viewed
        on
            pg_rewrite.ev_class = viewed.attrelid
            and part.words[1] = viewed.attname
            and pg_column_is_updatable(viewed.attrelid, viewed.attnum, true)
    where
        pg_rewrite.ev_class
        = to_regclass('analytics_internal.input_orders__customer_statuses')
$written_columns$;

create or replace function pg_temp.needed_rights(sources text[])
returns table (
    relation regclass, role_name text, privilege text, column_number smallint
)
language sql as $needed_rights$
    -- what the roles need in the sources; column 0: a right on the whole table
    select
        source::regclass as relation,
        'customer_health_refresher' as role_name,
        'SELECT' as privilege,
        0::smallint as column_number
    from unnest(sources) as source

    union

    -- the columns that the view reads that is written through, to compute with, too
    select
        pg_depend.refobjid::regclass as relation,
        'customer_health_write_back' as role_name,
        'SELECT' as privilege,
        pg_depend.refobjsubid::smallint as column_number
    from pg_rewrite
    inner join pg_depend
        on
            pg_rewrite.oid = pg_depend.objid
            and pg_depend.classid = 'pg_rewrite'::regclass
            and pg_depend.refobjsubid > 0
    where
        pg_rewrite.ev_class
        = to_regclass('analytics_internal.input_orders__customer_statuses')
        and pg_depend.refobjid != pg_rewrite.ev_class

    union

    select
        written.table_id::regclass as relation,
        duties.role_name,
        'UPDATE' as privilege,
        pg_attribute.attnum as column_number
    from pg_temp.written_columns() as written
    inner join pg_attribute
        on
            written.table_id = pg_attribute.attrelid
            and written.origin = pg_attribute.attname
    cross join lateral (
        values
        ('customer_health_write_back', written.is_written),
        ('customer_health_refresher', written.is_hooked)
    ) as duties (role_name, is_theirs)
    where duties.is_theirs
$needed_rights$;

create or replace function pg_temp.given_rights()
returns table (
    relation regclass, role_name text, privilege text, column_number smallint
)
language sql as $given_rights$
    -- what the two roles have been granted, by whomever
    select
        given.relation,
        pg_roles.rolname::text as role_name,
        given.privilege_type as privilege,
        given.column_number
    from (
        select
            pg_class.oid::regclass as relation,
            rights.grantee,
            rights.privilege_type,
            0::smallint as column_number
        from pg_class
        cross join lateral aclexplode(pg_class.relacl) as rights

        union all

        select
            pg_attribute.attrelid::regclass as relation,
            rights.grantee,
            rights.privilege_type,
            pg_attribute.attnum as column_number
        from pg_attribute
        cross join lateral aclexplode(pg_attribute.attacl) as rights
        where pg_attribute.attacl is not null
    ) as given
    inner join pg_roles
        on given.grantee = pg_roles.oid
    where
        pg_roles.rolname in ('customer_health_refresher', 'customer_health_write_back')
$given_rights$;

create or replace function pg_temp.grant_sources(sources text[])
returns void
language plpgsql as $grant_sources$
-- Grant what is needed and nobody has granted yet, and note it. What is noted and needed no
-- more is taken away, as on a table that is no longer mapped. Grants of others stay.
declare
    change record;
begin
    for change in
        select
            idle.relation,
            idle.role_name,
            idle.privilege,
            quote_ident(pg_attribute.attname) as column_name
        from (
            (
                select noted.* from operations.source_grants as noted
                except
                select needed.* from pg_temp.needed_rights(sources) as needed
            )
            -- nor what is gone with its table or its column
            intersect
            select given.* from pg_temp.given_rights() as given
        ) as idle
        left join pg_attribute
            on
                idle.relation = pg_attribute.attrelid
                and idle.column_number = pg_attribute.attnum
                and pg_attribute.attnum > 0
    loop
        execute format(
            'revoke %s%s on %s from %I', change.privilege,
            ' (' || change.column_name || ')', change.relation, change.role_name
        );
    end loop;

    delete from operations.source_grants as noted
    where
        (noted.relation, noted.role_name, noted.privilege, noted.column_number) not in (
            select needed.* from pg_temp.needed_rights(sources) as needed
        );

    for change in
        select distinct
            pg_class.relnamespace::regnamespace as schema_name,
            needed.role_name
        from pg_temp.needed_rights(sources) as needed
        inner join pg_class
            on needed.relation = pg_class.oid
    loop
        execute format('grant usage on schema %s to %I', change.schema_name, change.role_name);
    end loop;

    for change in
        select
            missing.*,
            quote_ident(pg_attribute.attname) as column_name
        from (
            select needed.* from pg_temp.needed_rights(sources) as needed
            except
            select given.* from pg_temp.given_rights() as given
        ) as missing
        left join pg_attribute
            on
                missing.relation = pg_attribute.attrelid
                and missing.column_number = pg_attribute.attnum
                and pg_attribute.attnum > 0
    loop
        execute format(
            'grant %s%s on %s to %I', change.privilege,
            ' (' || change.column_name || ')', change.relation, change.role_name
        );
        insert into operations.source_grants
        values (
            change.relation, change.role_name, change.privilege, change.column_number
        )
        on conflict do nothing;
    end loop;
end
$grant_sources$;

create or replace function pg_temp.excess_rights(sources text[])
returns table (role_name text, relation text, rights text)
language sql as $excess_rights$
    -- what the roles may change in the sources beyond their duty, by whatever grant
    with relations as (
        select source::regclass as id from unnest(sources) as source
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
        left join pg_temp.written_columns() as written
            on
                relations.id = written.table_id
                and pg_attribute.attname = written.origin
                and case roles.rolname
                    when 'customer_health_write_back' then written.is_written
                    when 'customer_health_refresher' then written.is_hooked
                end
        where
            written.origin is null
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
            'comment on role %I is %L', missing,
            'customer_health: reads the rows of its tenant, see `roles status`'
        );
        created := created + 1;
    end loop;
    return created;
end
$create_tenant_roles$;

create or replace function pg_temp.blind_readers()
returns table (role_name text, marts_count bigint)
language sql as $blind_readers$
    -- who may read marts by a grant that is not ours, and no policy shows a row to
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

create or replace function pg_temp.known_tenants()
returns table (system text, tenant text, slug text)
language plpgsql as $known_tenants$
-- The tenants of every system that a refresh has published.
declare
    clock record;
begin
    for clock in
        select
            systems.system,
            format('analytics.%I', systems.tenants) as relation,
            systems.tenant as entity
        from operations.systems
        where to_regclass(format('analytics.%I', systems.tenants)) is not null
    loop
        return query execute format(
            'select %L, %I::text, %I from %s',
            clock.system, clock.entity || '_id', clock.entity || '_slug', clock.relation
        );
    end loop;
end
$known_tenants$;

create or replace function pg_temp.role_status()
returns table (role text, does text, tenant text, members text)
language sql as $role_status$
    select
        pg_roles.rolname::text,
        replace(shobj_description(pg_roles.oid, 'pg_authid'), 'customer_health: ', ''),
        coalesce(
            slugs.slug || ' (' || tenant_roles.system || ')',
            tenant_roles.system || ' ' || tenant_roles.tenant
        ),
        (
            select string_agg(pg_auth_members.member::regrole::text, ', ' order by 1)
            from pg_auth_members
            where
                pg_auth_members.roleid = pg_roles.oid
                and pg_roles.rolname != 'customer_health_tenant'
        )
    from pg_roles
    left join operations.tenant_roles
        on pg_roles.rolname = tenant_roles.role_name
    left join pg_temp.known_tenants() as slugs
        on
            tenant_roles.system = slugs.system
            and tenant_roles.tenant = slugs.tenant
    where
        tenant_roles.role_name is not null
        or pg_roles.rolname in (
            'customer_health_refresher', 'customer_health_write_back',
            'customer_health_analyst', 'customer_health_tenant'
        )
    order by tenant_roles.system desc nulls first, 3, 1
$role_status$;

create or replace function pg_temp.tenants_without_role()
returns bigint
language sql as $tenants_without_role$
    select count(*)
    from (
        select system, tenant from pg_temp.known_tenants()
        except
        select system, tenant from operations.tenant_roles
        inner join pg_roles on tenant_roles.role_name = pg_roles.rolname
    ) as without_role
$tenants_without_role$;

create or replace function pg_temp.opening()
returns table (statement text)
language sql as $opening$
    -- What takes the row security off the marts, but for those with policies of others.
    select
        format(
            'drop policy if exists tenants_see_their_rows on %1$s;'
            ' drop policy if exists analysts_see_all_rows on %1$s;%2$s',
            marts.oid::regclass,
            case
                when bool_and(
                    pg_policy.polname in ('tenants_see_their_rows', 'analysts_see_all_rows')
                )
                    then format(
                        ' alter table %s disable row level security', marts.oid::regclass
                    )
            end
        ) as statement
    from pg_class as marts
    inner join pg_policy
        on marts.oid = pg_policy.polrelid
    where
        marts.relnamespace = 'analytics'::regnamespace
        and marts.relowner = to_regrole('customer_health_refresher')
    group by marts.oid

    union all

    select
        'drop view operations.missing_rights; drop function operations.map_tenants;'
        ' drop table operations.tenant_roles, operations.source_grants;'
        ' delete from operations.installed_scripts where script = ''row_security.sql'''
$opening$;

create or replace function pg_temp.belongings_of_others()
returns table (role_name text, thing text)
language sql as $belongings_of_others$
    -- what somebody has given to one of our roles and no command of ours has made
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
    -- a sequence goes with its column
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
        -- here, or of the whole server
        and owned.dbid in (
            0, (select pg_database.oid from pg_database where datname = current_database())
        )
        -- what is set for the things that the role makes goes with the role
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

create or replace function pg_temp.drop_roles(tenant_role_names text[])
returns table (role_name text, because text)
language plpgsql as $drop_roles$
-- Drop the roles, and return those that stay and why: another database uses them, say. Roles
-- that somebody else has made and put into the map are left alone.
declare
    this_role text;
    detail text;
    elsewhere text[];
    grant_again text;
begin
    foreach this_role in array tenant_role_names || pg_temp.groups()
    loop
        elsewhere := '{}';
        continue when starts_with(
            shobj_description(to_regrole(quote_ident(this_role)), 'pg_authid'),
            'customer_health: '
        ) is not true;
        if this_role = any(pg_temp.groups()) then
            if not pg_has_role(this_role, 'usage') then
                execute format('grant %I to current_user', this_role);
            end if;
            -- what it owns here is ours: belongings_of_others() has been asked
            execute format('reassign owned by %I to current_user', this_role);
            -- takes its rights on other databases, too
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
