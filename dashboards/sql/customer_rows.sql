-- One customer's orders as they are in the application now, and the figures that each
-- counts in.
select
    order_id,
    order_status,
    ordered_at,
    delivered_at,
    delivered_on,
    delivery_number,
    gap_days,
    amount,
    currency,
    counts_in,
    left_out_because,
    has_changed_since,
    placed_on,
    created_at,
    updated_at
from analytics.explain_risk_status(%(tenant)s, %(customer)s)
