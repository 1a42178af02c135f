{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 24}) }}

-- States: each of our security definer functions sets its own search_path, which ends
-- in pg_temp.
-- Matters: after the publication; otherwise a caller could put a table or function in
-- its path and have it run with the owner's rights.
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
