{{ config(
    tags=['sanity', 'nightly'],
    meta={'sanity_check': 24},
    severity='warn',
) }}

-- States: each of our views is security_invoker.
-- Matters: after the publication; with its owner's rights, a view shows the rows of all
-- tenants to everybody who may read it. A warning, because the view may be yours.
-- To resolve: alter view ... set (security_invoker = true), or let the next full
-- refresh do it.
select
    pg_namespace.nspname as view_schema,
    pg_class.relname as view_name
from pg_class
inner join pg_namespace
    on pg_class.relnamespace = pg_namespace.oid
where
    pg_class.relkind = 'v'
    and pg_namespace.nspname in (
        '{{ ref("tenants").schema }}',
        '{{ ref("int_tenants").schema }}',
        '{{ ref("orders_publications").schema }}'
    )
    -- skips views of other owners in these schemas
    and pg_class.relowner = (
        select marts.relowner
        from pg_class as marts
        where marts.oid = '{{ ref("tenants") }}'::regclass
    )
    and not exists (
        select
        from pg_options_to_table(pg_class.reloptions) as choices
        where
            choices.option_name = 'security_invoker'
            and choices.option_value::boolean
    )
