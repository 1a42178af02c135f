-- The key of a tenant, by its slug or its id.
select tenant_id
from analytics.tenants
where tenant_slug = %(tenant)s or tenant_id::text = %(tenant)s
-- whose id it is before one that is called so
order by tenant_id::text = %(tenant)s desc, tenant_id asc
limit 1
