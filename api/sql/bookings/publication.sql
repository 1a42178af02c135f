-- The published state, when its forecasts were fitted, and its days. A run replaces
-- views after it has published, so how it ended is part of the state.
select
    concat_ws(
        '/',
        (
            select concat_ws('/', latest.run_id, latest.published_at, runs.status)
            from (
                select
                    run_id,
                    published_at
                from operations.bookings_publications
                where published_at <= now()
                order by published_at desc
                limit 1
            ) as latest
            left join operations.application_logs as runs
                on latest.run_id = runs.logid
        ),
        (
            select fits.logid || fits.status
            from operations.application_logs as fits
            where fits.payload ->> 'cron_name' = 'fit_visits'
            order by fits.created_at desc
            limit 1
        )
    ) as publication,
    min(days.as_of) as as_of,
    -- also the locations' days: at their midnight, is_future changes
    string_agg(
        concat_ws(
            ' ',
            days.time_zone,
            days.today,
            (days.as_of at time zone days.time_zone)::date
        ),
        ' '
        order by days.time_zone, days.today, days.as_of
    ) as days
from (
    select distinct
        locations.time_zone,
        organizations.today,
        organizations.as_of
    from analytics.booking_organizations as organizations
    left join analytics.booking_locations as locations
        on organizations.organization_id = locations.organization_id
) as days
