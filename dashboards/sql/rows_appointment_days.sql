-- Appointments by location and day, the latest first. They add up to the figures on the
-- page Bookings.
select
    organizations.organization_slug,
    days.location_id,
    coalesce(days.location_name, days.location_id::text) as location_name,
    days.date,
    days.accepted_appointments,
    days.new_customers,
    days.returning_customers,
    days.no_show_appointments,
    days.cancelled_appointments,
    sum(days.accepted_appointments) over ()::bigint as all_accepted,
    sum(days.no_show_appointments) over ()::bigint as all_no_shows,
    sum(days.cancelled_appointments) over ()::bigint as all_cancelled,
    count(*) over () as rows_count
from analytics.booking_organizations as organizations
inner join analytics.analytics_appointments_by_location_daily as days
    on organizations.organization_id = days.organization_id
where
    (%(organization)s is null or organizations.organization_id = %(organization)s)
    and (%(location)s is null or days.location_id = %(location)s)
    -- constant dates keep the planner from reading all days
    and days.date > %(first_day)s
    and days.date > organizations.today - %(days)s
    and (%(day)s is null or days.date = %(day)s)
    and days.date <= coalesce(%(day)s, organizations.today)
order by days.date desc, organizations.organization_slug asc, days.location_id asc
limit %(limit)s offset %(offset)s
