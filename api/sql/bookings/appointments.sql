-- Appointments of an organization by day and location.
with appointments as materialized (
    select *
    from analytics.analytics_appointments_by_location_daily
    where
        organization_id = %(organization_id)s
        and date >= %(first_day)s
        and date <= %(last_day)s
        and (%(location)s is null or location_id = %(location)s)
)

select
    *,
    (select count(*) from appointments) as total
from appointments
order by date asc, location_id asc
limit %(limit)s offset %(offset)s
