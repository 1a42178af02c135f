-- The last full weeks of a tenant.
select
    weeks.week_begins_on,
    weeks.active_customers,
    weeks.new_customers,
    weeks.returning_customers,
    weeks.resurrected_customers,
    weeks.quiet_customers,
    weeks.gone_customers,
    weeks.gone_after_days
from analytics.order_customers_weekly as weeks
inner join analytics.tenants
    on weeks.tenant_id = tenants.tenant_id
where
    weeks.tenant_id = %(tenant)s
    and weeks.week_begins_on > tenants.today - 372
order by weeks.week_begins_on
