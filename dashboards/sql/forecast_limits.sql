-- Which statuses a tenant's customers would have today with other limits, and how well
-- DORMANT would have predicted.
select
    setting,
    value,
    is_current,
    healthy_count,
    at_risk_revenue_count,
    at_risk_cadence_count,
    dormant_count,
    moved_count,
    precision,
    recall,
    balanced_accuracy
from analytics.threshold_what_if
where tenant_id = %(tenant)s
order by setting, value
