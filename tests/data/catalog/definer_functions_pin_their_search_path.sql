{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 24}) }}

-- States: every function of ours that runs with the rights of its owner has a
-- search_path of its own, which ends in pg_temp.
-- Matters: after the publication; else whoever calls it, or fires it, can put a table
-- or a function of their own in its way, and have it run with those rights.
-- To resolve: alter function ... set search_path = pg_catalog, pg_temp.
select pg_proc.oid::regprocedure::text as function_name
from pg_proc
inner join pg_namespace
    on pg_proc.pronamespace = pg_namespace.oid
where
    pg_proc.prosecdef
    and pg_namespace.nspname in (
        '{{ ref("tenants").schema }}',
        '{{ ref("int_tenants").schema }}',
        '{{ ref("orders_publications").schema }}'
    )
    and not exists (
        select
        from unnest(pg_proc.proconfig) as pinned (assignment)
        where pinned.assignment ~ '^search_path=(.*, )?"?pg_temp"?$'
    )
