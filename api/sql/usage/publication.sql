-- The published state and its days. A run replaces views after it has published, so
-- how it ended is part of the state.
select
    (
        select concat_ws('/', latest.run_id, latest.published_at, runs.status)
        from (
            select
                run_id,
                published_at
            from operations.usage_publications
            where published_at <= now()
            order by published_at desc
            limit 1
        ) as latest
        left join operations.application_logs as runs
            on latest.run_id = runs.logid
    ) as publication,
    min(as_of) as as_of,
    string_agg(distinct today::text, ' ') as days
from analytics.platform_organizations
