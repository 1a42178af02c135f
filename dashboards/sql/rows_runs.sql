-- Runs, the latest first: how they ended, how long they took, what they moved and
-- corrected.
select
    runs.log_id,
    runs.created_at,
    runs.payload ->> 'cron_name' as job,
    runs.status,
    (runs.payload ->> 'seconds')::numeric as seconds,
    (runs.payload ->> 'as_of')::timestamptz as as_of,
    moved.rows_moved,
    (runs.payload ->> 'rows_written')::bigint as rows_written,
    (runs.payload ->> 'drift')::bigint as drift,
    runs.payload ->> 'full_because' as full_because,
    runs.payload ->> 'error' as error,
    -- consecutive runs with nothing to do share one row
    (runs.payload ->> 'runs_count')::bigint as runs_count,
    (runs.payload ->> 'runs_since')::timestamptz as runs_since,
    count(*) over () as rows_count
from operations.application_logs as runs
cross join
    lateral (
        select
            sum(
                (mart.entry ->> 'rows_written')::bigint
                + (mart.entry ->> 'rows_removed')::bigint
            )::bigint as rows_moved
        from jsonb_array_elements(runs.payload -> 'marts') as mart (entry)
    ) as moved
where
    (%(run)s is null or runs.log_id::text = %(run)s)
    and (%(job)s is null or runs.payload ->> 'cron_name' = %(job)s)
    and (%(run_status)s is null or runs.status = %(run_status)s)
order by runs.log_id desc
limit %(limit)s offset %(offset)s
