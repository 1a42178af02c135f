-- Appointments of an organization by day and location.
with appointments as not materialized (
    select appointments.*
    from analytics.analytics_appointments_by_location_daily as appointments
    where
        appointments.organization_id = %(organization_id)s
        and appointments.date >= %(first_day)s
        and appointments.date <= %(last_day)s
        and (%(location)s is null or appointments.location_id = %(location)s)
)

select
    appointments.*,
    (select count(*) from appointments) as total
from appointments
order by date asc, location_id asc
limit %(limit)s offset %(offset)s
