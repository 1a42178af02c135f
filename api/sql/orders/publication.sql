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
                    from operations.orders_publications as publications
                    where publications.run_id = runs.logid
                )
            order by runs.log_id desc
            limit 1
        ),
        (
            select fits.log_id || fits.status
            from operations.application_logs as fits
            where fits.payload ->> 'cron_name' = 'fit_orders'
            order by fits.created_at desc
            limit 1
        )
    ) as publication,
    min(as_of) as as_of,
    string_agg(distinct today::text, ' ') as days
from analytics.tenants
