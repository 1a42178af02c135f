-- Appointments by day, with new and returning customers.
select
    days.date as day,
    sum(days.accepted_appointments)::bigint as accepted_appointments,
    sum(days.new_customers)::bigint as new_customers,
    sum(days.returning_customers)::bigint as returning_customers,
    sum(days.no_show_appointments)::bigint as no_show_appointments,
    sum(days.cancelled_appointments)::bigint as cancelled_appointments,
    bool_or(days.is_future) as is_future
from analytics.booking_organizations as organizations
inner join analytics.analytics_appointments_by_location_daily as days
    on organizations.organization_id = days.organization_id
where
    (%(organization)s is null or organizations.organization_id = %(organization)s)
    and (%(location)s is null or days.location_id = %(location)s)
    -- constant dates keep the planner from reading all days
    and days.date > %(first_day)s
    and days.date > organizations.today - %(days)s
    and days.date <= organizations.today + 14
group by days.date
order by days.date
