-- Which role is which tenant's, and what a mart lacks until it keeps to that. Belongs
-- to the refresher, whose refreshes give a new mart its policies.
create table if not exists operations.tenant_roles (
    role_name text primary key,
    system text not null,
    tenant text not null,
    unique (system, tenant)
);
comment on table operations.tenant_roles is
'One row per role of a tenant. Names of roles can be read by everybody, so they say
nothing; a role reads its own row here only. Rows of tenants that have left stay.';

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

-- the write-back reads and marks its plan, and writes through the staging view
grant usage on schema operations, analytics_internal to customer_health_write_back;
grant select, insert, update on operations.write_back_batches, operations.write_back_changes
to customer_health_write_back;

create or replace function operations.map_tenants()
returns void
language plpgsql as $map_tenants$
-- Give every tenant that has none a role name, which tells nobody who it is.
declare
    mart record;
begin
    for mart in
        select *
        from (
            values
            ('orders', 'analytics.tenants', 'tenant_id'),
            ('bookings', 'analytics.booking_organizations', 'organization_id')
        ) as marts (system, relation, tenant)
        where to_regclass(relation) is not null
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
'Give every tenant that has none the name of a role; `roles install` creates it.';

create or replace view operations.missing_rights with (security_invoker = true) as
with relations as (
    select
        pg_class.oid,
        format('%I.%I', pg_namespace.nspname, pg_class.relname) as relation,
        pg_class.relkind = 'v' as is_view,
        pg_class.relrowsecurity as is_secured,
        pg_class.relacl,
        pg_attribute.attname as tenant_column,
        pg_attribute.atttypid::regtype as tenant_type,
        case pg_attribute.attname when 'tenant_id' then 'orders' else 'bookings' end
            as system
    from pg_class
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    left join pg_attribute
        on
            pg_class.oid = pg_attribute.attrelid
            and pg_attribute.attname in ('tenant_id', 'organization_id')
            and not pg_attribute.attisdropped
    where
        pg_class.relowner = to_regrole('customer_health_refresher')
        and pg_namespace.nspname = 'analytics'
        and case
            -- a view with the rights of its owner would show the rows of all tenants
            when pg_class.relkind = 'v'
                then 'security_invoker=true' = any(pg_class.reloptions)
            -- as would a table that does not say whose its rows are
            when pg_class.relkind = 'r'
                then pg_attribute.attname is not null or pg_class.relname = 'rfm_groups'
            else false
        end
),

statements as (
    select
        relation,
        concat_ws(
            '; ',
            case
                when not is_view and tenant_column is not null and not is_secured
                    then format('alter table %s enable row level security', relation)
            end,
            case
                when
                    not is_view and tenant_column is not null
                    and not exists (
                        select
                        from pg_policy
                        where
                            pg_policy.polrelid = relations.oid
                            and pg_policy.polname = 'tenants_see_their_rows'
                    )
                    -- an array is worked out once a query, and looked up in an index
                    then format(
                        'create policy tenants_see_their_rows on %s for select'
                        ' to customer_health_tenant using (%I = any(array('
                        'select tenant::%s from operations.tenant_roles'
                        ' where system = %L)))',
                        relation, tenant_column, tenant_type, system
                    )
            end,
            case
                when
                    not is_view and tenant_column is not null
                    and not exists (
                        select
                        from pg_policy
                        where
                            pg_policy.polrelid = relations.oid
                            and pg_policy.polname = 'analysts_see_all_rows'
                    )
                    then format(
                        'create policy analysts_see_all_rows on %s for select'
                        ' to customer_health_analyst using (true)',
                        relation
                    )
            end,
            case
                when exists (
                    select readers.role_name
                    from (
                        values ('customer_health_analyst'), ('customer_health_tenant')
                    ) as readers (role_name)
                    except
                    select rights.grantee::regrole::text
                    from aclexplode(relations.relacl) as rights
                    where rights.privilege_type = 'SELECT'
                )
                    then format(
                        'grant select on %s'
                        ' to customer_health_analyst, customer_health_tenant',
                        relation
                    )
            end
        ) as statement
    from relations

    union all

    select
        'analytics_internal.stg_commerce__customer_statuses' as relation,
        'grant select, update (account_type, risk_status, last_order_date,'
        ' next_expected_order_date, average_order_interval_days, dormancy_since,'
        ' reactivated_date) on analytics_internal.stg_commerce__customer_statuses'
        ' to customer_health_write_back' as statement
    from pg_class
    where
        pg_class.oid = to_regclass('analytics_internal.stg_commerce__customer_statuses')
        and not has_table_privilege('customer_health_write_back', pg_class.oid, 'select')
)

select
    relation,
    statement
from statements
where statement != '';
comment on view operations.missing_rights is
'One row per relation that lacks the row security or the grants of the roles, and the
statement that gives them. A refresh runs it for the marts that it makes.';
