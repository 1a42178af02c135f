-- The tenants that the reader may see, and how old their figures are.
select
    tenants.tenant_id,
    tenants.tenant_slug,
    coalesce(tenants.tenant_name, tenants.tenant_slug) as tenant_name,
    tenants.as_of,
    tenants.today,
    tenants.as_of < now() - interval '48 hours' as is_stale
from analytics.tenants
order by tenants.tenant_slug
