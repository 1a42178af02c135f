-- The runs, latest first.
with runs as not materialized (
    select
        logs.log_id,
        logs.logid as run_id,
        logs.payload ->> 'cron_name' as job,
        logs.status,
        logs.created_at as started_at,
        (logs.payload ->> 'as_of')::timestamptz as as_of,
        logs.payload ->> 'organization' as organization_slug,
        (logs.payload ->> 'rows_written')::bigint as rows_written,
        (logs.payload ->> 'seconds')::double precision as seconds,
        logs.payload ->> 'error' as error
    from operations.application_logs as logs
    where
        (%(job)s is null or logs.payload ->> 'cron_name' = %(job)s)
        and (%(status)s is null or logs.status = %(status)s)
        and (%(run_id)s is null or logs.logid = %(run_id)s)
)

select
    runs.run_id,
    runs.job,
    runs.status,
    runs.started_at,
    runs.as_of,
    runs.organization_slug,
    runs.rows_written,
    runs.seconds,
    runs.error,
    (select count(*) from runs) as total
from runs
order by runs.log_id desc
limit %(limit)s offset %(offset)s
