-- Appointments of an organization by day and location. The table of the days says which
-- are on the page, because the view looks up the new customers of each of its rows.
with days as materialized (
    select
        location_id,
        date
    from analytics.booking_location_days
    where
        organization_id = %(organization_id)s
        and date >= %(first_day)s
        and date <= %(last_day)s
        and (%(location)s is null or location_id = %(location)s)
),

page as (
    select
        *,
        (select count(*) from days) as total
    from days
    order by date asc, location_id asc
    limit %(limit)s offset %(offset)s
)

select
    appointments.*,
    page.total
from page
cross join
    lateral (
        select daily.*
        from analytics.analytics_appointments_by_location_daily as daily
        where
            daily.organization_id = %(organization_id)s
            and daily.location_id = page.location_id
            and daily.date = page.date
        -- a fence: by its key for each row
        order by daily.date asc
        offset 0
    ) as appointments
order by page.date asc, page.location_id asc
