-- The published state, when its forecasts were fitted, and its days. A run replaces
-- views after it has published, so how it ended is part of the state.
select
    concat_ws(
        '/',
        (
            select runs.log_id || runs.status
            from operations.application_logs as runs
            where
                exists (
                    select
                    from operations.bookings_publications as publications
                    where publications.run_id = runs.logid
                )
            order by runs.log_id desc
            limit 1
        ),
        (
            select fits.log_id || fits.status
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
