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
                from operations.orders_publications
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
            where fits.payload ->> 'cron_name' = 'fit_orders'
            order by fits.created_at desc
            limit 1
        )
    ) as publication,
    min(as_of) as as_of,
    string_agg(distinct today::text, ' ') as days
from analytics.tenants
