-- Customers by risk status and account type, the highest usual order value first.
select
    account_types.tenant_id,
    tenants.tenant_slug,
    account_types.customer_id,
    coalesce(account_types.customer_name, account_types.customer_id::text)
        as customer_name,
    risk_status.risk_status,
    account_types.account_type,
    coalesce(risk_status.reason, account_types.reason) as reason,
    risk_status.last_order_date,
    risk_status.next_expected_order_date,
    risk_status.revenue_at_risk,
    risk_status.currency,
    count(*) over () as rows_count
from analytics.customer_account_types as account_types
inner join analytics.tenants
    on account_types.tenant_id = tenants.tenant_id
left join analytics.customer_risk_status as risk_status
    on
        account_types.tenant_id = risk_status.tenant_id
        and account_types.customer_id = risk_status.customer_id
where
    (%(tenant)s is null or account_types.tenant_id = %(tenant)s)
    and (%(risk_status)s is null or risk_status.risk_status = %(risk_status)s)
    and (%(account_type)s is null or account_types.account_type = %(account_type)s)
order by
    risk_status.revenue_at_risk desc nulls last,
    account_types.tenant_id asc,
    account_types.customer_id asc
limit %(limit)s offset %(offset)s
