-- The tenants that the caller may see, with their thresholds.
with tenants as not materialized (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        tenants.tenant_name,
        tenants.time_zone,
        tenants.today,
        tenants.threshold_row,
        tenants.dormant_days,
        tenants.grace_days,
        tenants.revenue_decline_pct,
        tenants.active_days,
        tenants.target_days
    from analytics.tenants
)

select
    *,
    (select count(*) from tenants) as total
from tenants
order by tenant_slug, tenant_id
limit %(limit)s offset %(offset)s
