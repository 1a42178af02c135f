-- Appointments by location, and the share of no-shows.
select
    organizations.organization_slug,
    coalesce(max(days.location_name), days.location_id::text) as location_name,
    sum(days.accepted_appointments)::bigint as accepted_appointments,
    sum(days.new_customers)::bigint as new_customers,
    -- a customer that comes on three days counts three times
    sum(days.returning_customers)::bigint as returning_visits,
    sum(days.no_show_appointments)::bigint as no_show_appointments,
    sum(days.cancelled_appointments)::bigint as cancelled_appointments,
    round(
        sum(days.no_show_appointments)
        / nullif(sum(days.no_show_appointments + days.accepted_appointments), 0), 4
    ) as no_show_rate
from analytics.booking_organizations as organizations
inner join analytics.analytics_appointments_by_location_daily as days
    on organizations.organization_id = days.organization_id
where
    (%(organization)s is null or organizations.organization_id = %(organization)s)
    and (%(location)s is null or days.location_id = %(location)s)
    -- constant dates keep the planner from reading all days
    and days.date > %(first_day)s
    and days.date > organizations.today - %(days)s
    and days.date <= organizations.today
group by
    organizations.organization_id, organizations.organization_slug, days.location_id
order by accepted_appointments desc, location_name asc, days.location_id asc
