-- What customers did in the full weeks of the last year, by their orders.
select
    weeks.tenant_id,
    tenants.tenant_slug,
    weeks.customer_id,
    coalesce(account_types.customer_name, weeks.customer_id::text) as customer_name,
    weeks.week_begins_on,
    weeks.activity,
    risk_status.risk_status,
    account_types.customer_id is null as is_closed,
    count(*) over () as rows_count
from analytics.customer_order_weeks as weeks
left join analytics.customer_account_types as account_types
    on
        weeks.tenant_id = account_types.tenant_id
        and weeks.customer_id = account_types.customer_id
left join analytics.customer_risk_status as risk_status
    on
        weeks.tenant_id = risk_status.tenant_id
        and weeks.customer_id = risk_status.customer_id
-- last, because Citus refuses it before an outer join
inner join analytics.tenants
    on weeks.tenant_id = tenants.tenant_id
where
    (%(tenant)s is null or weeks.tenant_id = %(tenant)s)
    and (%(week)s is null or weeks.week_begins_on = %(week)s)
    and (%(activity)s is null or weeks.activity = %(activity)s)
    and weeks.week_begins_on > tenants.today - 372
order by
    weeks.week_begins_on desc,
    customer_name asc,
    weeks.tenant_id asc,
    weeks.customer_id asc,
    weeks.activity asc
limit %(limit)s offset %(offset)s
