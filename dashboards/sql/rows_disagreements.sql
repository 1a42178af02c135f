-- Customers whose status and forecast disagree, the most valuable first.
select
    tenant_id,
    tenant_slug,
    customer_id,
    coalesce(customer_name, customer_id::text) as customer_name,
    disagreement,
    risk_status,
    outlook,
    p_order_90d,
    expected_amount_90d,
    currency,
    reason,
    outlook_reason,
    count(*) over () as rows_count
from analytics.status_disagreements
where
    (%(tenant)s is null or tenant_id = %(tenant)s)
    and (%(disagreement)s is null or disagreement = %(disagreement)s)
order by value_rank asc, tenant_id asc, customer_id asc
limit %(limit)s offset %(offset)s
