{{ config(tags=['sanity'], meta={'sanity_check': 24}) }}

-- States: if the roles are installed, every table in analytics with a tenant column,
-- and the contacts table, has row-level security, and only the policy that uses the
-- role map shows rows to a tenant.
-- Matters: after the publication; a tenant could read the rows of others.
-- To resolve: put the policy back with `customer-health roles install`; drop a policy
-- that shows more.
{%- set tenant_columns = [] %}
{%- for system in var('systems') if execute %}
    {%- do tenant_columns.append(system_of(system).tenant ~ '_id') %}
{%- endfor %}
with marts as (
    select distinct
        pg_class.oid as mart_id,
        pg_class.relrowsecurity as is_secured
    from pg_class
    inner join pg_attribute
        on pg_class.oid = pg_attribute.attrelid
    where
        to_regclass('{{ in_operations("tenant_roles") }}') is not null
        and (
            pg_class.relnamespace in (
                '{{ ref("tenants").schema }}'::regnamespace,
                '{{ ref("booking_organizations").schema }}'::regnamespace,
                '{{ ref("platform_organizations").schema }}'::regnamespace,
                '{{ ref("success_organizations").schema }}'::regnamespace
            )
            or pg_class.oid = '{{ ref("customer_contacts") }}'::regclass
        )
        and pg_class.relkind in ('r', 'p', 'm', 'f')
        and pg_attribute.attname = any({{ text_array(tenant_columns) }})
),

-- policies that show rows to a tenant: to all tenants, to one or to everybody
policies as (
    select
        pg_policy.polrelid as mart_id,
        pg_policy.polname,
        pg_policy.oid in (
            select pg_depend.objid
            from pg_depend
            where
                pg_depend.classid = 'pg_policy'::regclass
                and pg_depend.refobjid
                = to_regclass('{{ in_operations("tenant_roles") }}')
        ) as is_by_map
    from pg_policy
    where
        pg_policy.polpermissive
        and exists (
            select
            from unnest(pg_policy.polroles) as shown (role_id)
            left join pg_roles
                on shown.role_id = pg_roles.oid
            where
                shown.role_id = 0
                or starts_with(pg_roles.rolname::text, '{{ our_role("tenant") }}')
        )
),

wrong as (
    select
        mart_id,
        'has no row security' as problem
    from marts
    where not is_secured

    union all

    select
        mart_id,
        'has no policy for tenants' as problem
    from marts
    where
        not exists (
            select from policies
            where policies.mart_id = marts.mart_id and policies.is_by_map
        )

    union all

    select
        marts.mart_id,
        'shows tenants rows by the policy ' || policies.polname as problem
    from marts
    inner join policies
        on marts.mart_id = policies.mart_id
    where not policies.is_by_map
)

select
    mart_id::regclass::text as mart,
    problem
from wrong
