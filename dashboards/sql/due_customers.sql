-- The customers to call, the most valuable first.
select
    tenant_slug,
    customer_id,
    coalesce(customer_name, customer_id::text) as customer_name,
    sales_rep_name,
    due_bucket,
    urgency,
    days_past_expected,
    last_order_date,
    next_expected_order_date,
    cadence_days,
    risk_status,
    revenue_at_risk,
    currency,
    reason
from analytics.due_to_order
where
    (%(tenant)s is null or tenant_id = %(tenant)s)
    and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
    and (not %(is_unowned)s or sales_rep_id is null)
    and (%(search)s is null or strpos(lower(customer_name), lower(%(search)s)) > 0)
    and due_bucket = any(%(buckets)s)
    and (%(urgency)s is null or urgency = %(urgency)s)
order by
    revenue_at_risk desc nulls last,
    days_past_expected desc,
    tenant_id asc,
    customer_id asc
limit %(limit)s offset %(offset)s
