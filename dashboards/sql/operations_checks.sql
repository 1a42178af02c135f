-- The checks that failed when they last ran: each has left a table of its rows.
select relations.relname as check_name
from pg_catalog.pg_class as relations
inner join pg_catalog.pg_namespace as schemas
    on relations.relnamespace = schemas.oid
where
    schemas.nspname = 'analytics_internal_failures'
    and relations.relkind = 'r'
order by relations.relname asc
