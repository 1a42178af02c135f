-- The published state and its days. A run replaces views after it has published, so
-- how it ended is part of the state.
select
    (
        select runs.log_id || runs.status
        from operations.application_logs as runs
        where
            exists (
                select
                from operations.usage_publications as publications
                where publications.run_id = runs.logid
            )
        order by runs.log_id desc
        limit 1
    ) as publication,
    min(as_of) as as_of,
    string_agg(distinct today::text, ' ') as days
from analytics.platform_organizations
