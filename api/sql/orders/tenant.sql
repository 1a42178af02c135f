-- The key of a tenant, by its slug or its id, and how old its figures are.
select
    tenant_id,
    as_of
from analytics.tenants
-- a cast of char(n) to text loses its blanks
where tenant_slug = %(tenant)s or tenant_id::text = rtrim(%(tenant)s)
-- a match by id comes before a match by slug
order by tenant_id::text = rtrim(%(tenant)s) desc, tenant_id asc
limit 1
