-- How many days pass before customers come for a service again.
select
    service_id,
    customers_count,
    intervals_count,
    interval_days_q1,
    interval_days_median,
    interval_days_q3
from analytics.visit_intervals_by_service
where organization_id = %(organization)s
order by intervals_count desc, service_id asc
