-- One customer's bookings and payments as they are in the application now, and the
-- figures that each counts in.
select
    row_kind,
    row_id,
    row_status,
    happened_at,
    happened_on,
    location_id,
    team_member_id,
    service_id,
    amount_cents,
    tip_cents,
    refunded_cents,
    counts_in,
    left_out_because,
    has_changed_since
from analytics.explain_customer_analytics(%(organization)s, %(visitor)s)
