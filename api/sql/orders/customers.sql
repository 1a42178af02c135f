-- Customers of a tenant that are not closed, with account type and risk status.
with customers as not materialized (
    select
        account_types.tenant_id,
        account_types.customer_id,
        account_types.customer_name,
        account_types.sales_rep_id,
        account_types.account_type,
        account_types.last_ordered_at,
        account_types.next_account_type,
        account_types.next_account_type_on,
        risk_status.risk_status,
        risk_status.reason,
        risk_status.last_order_date,
        risk_status.next_expected_order_date,
        risk_status.cadence_days,
        risk_status.dormancy_since,
        risk_status.revenue_at_risk,
        risk_status.currency,
        risk_status.next_status,
        risk_status.next_status_on
    from analytics.customer_account_types as account_types
    left join analytics.customer_risk_status as risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
    where
        account_types.tenant_id = %(tenant_id)s
        and (
            %(account_type)s is null or account_types.account_type = %(account_type)s
        )
        and (%(risk_status)s is null or risk_status.risk_status = %(risk_status)s)
        and (%(sales_rep)s is null or account_types.sales_rep_id = %(sales_rep)s)
        and (
            %(search)s is null
            or strpos(lower(account_types.customer_name), lower(%(search)s)) > 0
            or account_types.customer_id::text = %(search)s
        )
)

select
    *,
    (select count(*) from customers) as total
from customers
order by
    -- one of these is a column, the others are NULL
    case when %(sort)s = 'customer_name' then customer_name end asc,
    case when %(sort)s = 'last_order_date' then last_order_date end asc,
    case when %(sort)s = '-last_order_date' then last_order_date end desc nulls last,
    case
        when %(sort)s = 'next_expected_order_date' then next_expected_order_date
    end asc,
    case when %(sort)s = '-revenue_at_risk' then revenue_at_risk end desc nulls last,
    customer_id asc
limit %(limit)s offset %(offset)s
