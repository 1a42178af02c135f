-- The map of tenants to roles, and the policies and grants that marts still lack. The
-- refresher owns these objects, because its refreshes give a new mart its policies.
create table if not exists operations.tenant_roles (
    role_name text primary key,
    system text not null,
    tenant text not null,
    unique (system, tenant)
);
comment on table operations.tenant_roles is
'customer_health: One row per tenant role. Everybody can read the names of roles, so
they say nothing about the tenant; a role can read only its own row here. Rows of
tenants that have left stay.';

create table if not exists operations.source_grants (
    role_name text not null,
    privilege text not null,
    kind text not null,
    thing text not null,
    column_name text not null,
    table_id oid,
    column_number smallint,
    primary key (role_name, privilege, kind, thing, column_name)
);
alter table operations.source_grants add column if not exists table_id oid;
alter table operations.source_grants add column if not exists column_number smallint;
comment on table operations.source_grants is
'customer_health: One row per right that `roles install` has granted one of our roles on
an object of the application (kind: table for any relation, routine or schema), or on
one of its columns. Rights in this table are revoked when no longer needed; grants of
others are not. table_id and column_number, in PostgreSQL''s catalog: what a table or
column is that has been renamed.';

create table if not exists operations.former_owners (
    thing text primary key,
    owner_name text not null
);
comment on table operations.former_owners is
'customer_health: One row per schema, relation and routine that `roles install` has
given to the refresher, with its former owner, to whom `roles remove` returns it. thing
'''': the owner for objects that the refresher has created since.';

alter table operations.tenant_roles enable row level security;
drop policy if exists roles_see_themselves on operations.tenant_roles;
create policy roles_see_themselves on operations.tenant_roles for select
using (
    role_name in (
        select pg_roles.rolname::text
        from pg_catalog.pg_roles
        where pg_has_role(pg_roles.oid, 'usage')
    )
);
grant select on operations.tenant_roles to customer_health_tenant;

grant usage on schema analytics to customer_health_analyst, customer_health_tenant;

-- the write-back reads and updates its plan, and writes through a staging view and the
-- input behind it
grant usage on schema operations, analytics_internal to customer_health_write_back;
grant select, insert, update
on operations.write_back_batches, operations.write_back_changes
to customer_health_write_back;

create or replace function operations.map_tenants()
returns void
language plpgsql as $map_tenants$
-- Give every tenant without a role a role name that does not reveal the tenant.
declare
    mart record;
begin
    for mart in
        select
            systems.system,
            format('analytics.%I', systems.tenants) as relation,
            systems.tenant || '_id' as tenant
        from operations.systems
        where to_regclass(format('analytics.%I', systems.tenants)) is not null
    loop
        execute format(
            'insert into operations.tenant_roles (role_name, system, tenant)'
            ' select ''customer_health_tenant_'''
            ' || left(replace(gen_random_uuid()::text, ''-'', ''''), 12), %L, %I::text'
            ' from %s on conflict (system, tenant) do nothing',
            mart.system, mart.tenant, mart.relation
        );
    end loop;
end
$map_tenants$;
comment on function operations.map_tenants is
'customer_health: Gives every tenant without one a role name; `roles install` creates
the role.';

drop view if exists operations.missing_rights;
create view operations.missing_rights
with (security_invoker = true) as
with relations as (
    select
        pg_class.oid,
        format('%I.%I', pg_namespace.nspname, pg_class.relname) as relation,
        pg_attribute.attname is not null as has_tenants,
        pg_class.relrowsecurity as is_secured,
        pg_attribute.attname as tenant_column,
        pg_attribute.atttypid::regtype as tenant_type,
        systems.system,
        -- a lookup seed, the same for all tenants
        pg_class.relkind = 'v' or pg_class.relname = 'rfm_groups' as is_for_all
    from pg_class
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    -- macros/ownership/mark.sql writes the system after our mark
    left join operations.systems
        on
            pg_class.relkind = 'r'
            and starts_with(
                obj_description(pg_class.oid, 'pg_class'),
                'customer_health: ' || systems.system || ': '
            )
    left join pg_attribute
        on
            pg_class.oid = pg_attribute.attrelid
            and systems.tenant || '_id' = pg_attribute.attname
            and not pg_attribute.attisdropped
    where
        pg_namespace.nspname = 'analytics'
        and pg_class.relowner = to_regrole('customer_health_refresher')
        -- without the objects that others have put beside the marts
        and starts_with(obj_description(pg_class.oid, 'pg_class'), 'customer_health: ')
        and case pg_class.relkind
            -- a view with the rights of its owner would show the rows of all tenants
            when 'v' then 'security_invoker=true' = any(pg_class.reloptions)
            when 'r' then true
        end
),

-- contacts that people write down: readers of the marts read them, and contact writers
-- add to them. Nobody may set recorded_by and recorded_at
contacts as (
    select
        pg_class.oid,
        'operations.' || pg_class.relname as relation,
        pg_class.relrowsecurity as is_secured,
        format(
            'tenant_id = any(array(select tenant::%s from operations.tenant_roles'
            ' where system = ''orders''))',
            pg_attribute.atttypid::regtype
        ) as of_tenant
    from pg_class
    inner join pg_attribute
        on
            pg_class.oid = pg_attribute.attrelid
            and pg_attribute.attname = 'tenant_id'
    where
        pg_class.oid = to_regclass('operations.customer_contacts')
        and pg_class.relowner = to_regrole('customer_health_refresher')
),

gaps as (
    -- a table without a tenant column would show the rows of all tenants
    select
        relation,
        0 as step,
        format(
            'do %L',
            format(
                'begin raise exception using message = %L; end',
                relation || ' has no known tenant: its comment must begin with '
                || '"customer_health: ", a system of dbt_project.yml and ": ", and it '
                || 'must have the tenant column of that system'
            )
        ) as remedy
    from relations
    where
        not has_tenants
        and not is_for_all
        and not is_secured

    union all

    select
        relation,
        1 as step,
        format('alter table %s enable row level security', relation) as remedy
    from relations
    where
        has_tenants
        and not is_secured

    union all

    select
        relations.relation,
        2 as step,
        format(
            'create policy %I on %s for select to %I using (%s)',
            policies.policy_name, relations.relation, policies.role_name, policies.shown
        ) as remedy
    from relations
    cross join
        lateral (
            values
            ('analysts_see_all_rows', 'customer_health_analyst', 'true'),
            (
                'tenants_see_their_rows',
                'customer_health_tenant',
                -- an array is computed once per query, and an index can be used
                format(
                    '%I = any(array(select tenant::%s from operations.tenant_roles'
                    ' where system = %L))',
                    relations.tenant_column, relations.tenant_type, relations.system
                )
            )
        ) as policies (policy_name, role_name, shown)
    left join pg_policy
        on
            relations.oid = pg_policy.polrelid
            and policies.policy_name = pg_policy.polname
    where
        relations.has_tenants
        and pg_policy.oid is null

    union all

    select
        relations.relation,
        3 as step,
        format('grant select on %s to %s', relations.relation, readers.role_name)
            as remedy
    from relations
    cross join (
        values ('customer_health_analyst'), ('customer_health_tenant')
    ) as readers (role_name)
    where not has_table_privilege(readers.role_name, relations.oid, 'select')

    union all

    select
        contacts.relation,
        steps.step,
        format(steps.remedy, contacts.relation) as remedy
    from contacts
    cross join
        lateral (
            select
                1 as step,
                'alter table %s enable row level security' as remedy
            where not contacts.is_secured

            union all

            select
                2 as step,
                format(
                    'create policy %I on %%s for %s to %I %s (%s)',
                    policies.policy_name,
                    policies.verb,
                    policies.role_name,
                    case policies.verb when 'select' then 'using' else 'with check' end,
                    case
                        when policies.role_name = 'customer_health_analyst' then 'true'
                        else contacts.of_tenant
                    end
                ) as remedy
            from (
                values
                ('analysts_see_all_rows', 'select', 'customer_health_analyst'),
                ('tenants_see_their_rows', 'select', 'customer_health_tenant'),
                ('analysts_add_any_row', 'insert', 'customer_health_analyst'),
                ('tenants_add_their_rows', 'insert', 'customer_health_tenant')
            ) as policies (policy_name, verb, role_name)
            where
                not exists (
                    select
                    from pg_policy
                    where
                        pg_policy.polrelid = contacts.oid
                        and pg_policy.polname = policies.policy_name
                )

            union all

            select
                3 as step,
                format('grant select on %%s to %s', readers.role_name) as remedy
            from (
                values ('customer_health_analyst'), ('customer_health_tenant')
            ) as readers (role_name)
            where not has_table_privilege(readers.role_name, contacts.oid, 'select')

            union all

            -- a role that older versions did not create; `roles install` creates it
            select
                3 as step,
                'grant usage on schema operations to customer_health_contact_writer;'
                || ' grant insert (' || string_agg(pg_attribute.attname, ', ')
                || ') on %s to customer_health_contact_writer' as remedy
            from pg_roles
            inner join pg_attribute
                on
                    contacts.oid = pg_attribute.attrelid
                    and pg_attribute.attnum > 0
                    and not pg_attribute.attisdropped
                    and pg_attribute.attname not in ('recorded_at', 'recorded_by')
                    and not has_column_privilege(
                        pg_roles.oid, contacts.oid, pg_attribute.attnum, 'insert'
                    )
            where pg_roles.rolname = 'customer_health_contact_writer'
            having count(*) > 0
        ) as steps

    union all

    -- the view that is written through, and the input behind it, which may lack some
    -- columns
    select
        'analytics_internal.' || pg_class.relname as relation,
        3 as step,
        format(
            'grant select%s on analytics_internal.%I'
            ' to customer_health_write_back',
            ', update (' || string_agg(pg_attribute.attname, ', ') || ')',
            pg_class.relname
        ) as remedy
    from pg_class
    left join pg_attribute
        on
            pg_class.oid = pg_attribute.attrelid
            and pg_attribute.attname in (
                'account_type', 'risk_status', 'last_order_date',
                'next_expected_order_date', 'average_order_interval_days',
                'dormancy_since', 'reactivated_date'
            )
    where
        pg_class.oid in (
            to_regclass('analytics_internal.stg_orders__customer_statuses'),
            to_regclass('analytics_internal.input_orders__customer_statuses')
        )
        and not has_table_privilege(
            'customer_health_write_back', pg_class.oid, 'select'
        )
    group by pg_class.oid
)

select
    relation,
    string_agg(remedy, '; ' order by step) as remedy
from gaps
group by relation;
comment on view operations.missing_rights is
'customer_health: One row per relation that lacks row security or grants for the roles,
with the statements that add them. A refresh runs them for the marts that it creates.';
