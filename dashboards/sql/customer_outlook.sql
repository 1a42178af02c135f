-- What to expect of one customer in the next 90 days.
select
    outlook,
    p_order_90d,
    expected_amount_90d,
    currency,
    reason,
    disagreement
from analytics.customer_outlook
where
    tenant_id = %(tenant)s
    and customer_id = %(customer)s
