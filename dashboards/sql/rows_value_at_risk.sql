-- Customers that are late or spend less, by currency, the highest value first.
select
    risk_status.tenant_id,
    tenants.tenant_slug,
    risk_status.customer_id,
    coalesce(risk_status.customer_name, risk_status.customer_id::text) as customer_name,
    risk_status.risk_status,
    risk_status.reason,
    risk_status.last_order_date,
    risk_status.next_expected_order_date,
    risk_status.revenue_at_risk,
    risk_status.currency,
    count(*) over () as rows_count
from analytics.customer_risk_status as risk_status
inner join analytics.tenants
    on risk_status.tenant_id = tenants.tenant_id
where
    risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
    and (%(tenant)s is null or risk_status.tenant_id = %(tenant)s)
    and (
        %(currency)s is null
        or risk_status.currency = %(currency)s
        or %(currency)s = 'none' and risk_status.currency is null
    )
order by
    risk_status.revenue_at_risk desc nulls last,
    risk_status.tenant_id asc,
    risk_status.customer_id asc
limit %(limit)s offset %(offset)s
