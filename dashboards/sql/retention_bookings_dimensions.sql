-- By location, service, team member and window: how many customers came again after a
-- first visit, and for how many visits the customer had booked a later day.
select
    rebooking.dimension,
    rebooking.dimension_id,
    coalesce(locations.location_name, rebooking.dimension_id) as name,
    rebooking.window_days,
    retention.first_counted_on,
    retention.last_counted_on,
    coalesce(retention.new_customers, 0) as new_customers,
    coalesce(retention.returned_customers, 0) as returned_customers,
    coalesce(retention.waiting_customers, 0) as waiting_customers,
    retention.retention_rate,
    rebooking.visits_count,
    rebooking.rebooked_count,
    rebooking.left_out_count,
    rebooking.rebooking_rate
from analytics.visit_rebooking as rebooking
left join analytics.first_visit_retention as retention
    on
        rebooking.organization_id = retention.organization_id
        and rebooking.dimension = retention.dimension
        and rebooking.dimension_id is not distinct from retention.dimension_id
        and rebooking.window_days = retention.window_days
left join analytics.booking_locations as locations
    on
        rebooking.organization_id = locations.organization_id
        and rebooking.dimension = 'location'
        and rebooking.dimension_id = locations.location_id::text
where rebooking.organization_id = %(organization)s
order by
    rebooking.dimension asc,
    rebooking.window_days asc,
    retention.new_customers desc nulls last,
    rebooking.visits_count desc,
    rebooking.dimension_id asc
