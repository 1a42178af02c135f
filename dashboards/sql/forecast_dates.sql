-- How far the expected date of the next order was off.
select
    cadence_source as source,
    order_days_count as days_count,
    followed_count,
    mean_absolute_error_days,
    mean_error_days,
    median_error_days,
    within_7_days_share
from analytics.next_order_date_errors
where tenant_id = %(tenant)s
order by cadence_source desc
