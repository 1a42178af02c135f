-- Today's limits of the statuses, and how many customers have each status.
select
    tenants.dormant_days,
    tenants.grace_days,
    tenants.revenue_decline_pct,
    risk_status.risk_status as status,
    count(risk_status.customer_id) as customers_count
from analytics.tenants
left join analytics.customer_risk_status as risk_status
    on tenants.tenant_id = risk_status.tenant_id
where tenants.tenant_id = %(tenant)s
group by
    tenants.dormant_days,
    tenants.grace_days,
    tenants.revenue_decline_pct,
    risk_status.risk_status
