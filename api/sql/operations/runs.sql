-- The runs, latest first.
with runs as not materialized (
    select
        log_id,
        logid,
        status,
        created_at,
        payload
    from operations.application_logs
    where
        (%(job)s is null or payload ->> 'cron_name' = %(job)s)
        and (%(status)s is null or status = %(status)s)
        and (%(run_id)s is null or logid = %(run_id)s)
),

-- the payloads of the other runs are not read, only counted: the runs of one job are
-- in the order of its index, because a scan of the table would read all of them
shown as (
    select *
    from runs
    order by
        -- NULL without a job
        case when %(job)s is not null then created_at end desc,
        log_id desc
    limit %(limit)s offset %(offset)s
)

select
    logid as run_id,
    payload ->> 'cron_name' as job,
    status,
    created_at as started_at,
    (payload ->> 'as_of')::timestamptz as as_of,
    payload ->> 'organization' as organization_slug,
    (payload ->> 'rows_written')::bigint as rows_written,
    (payload ->> 'seconds')::double precision as seconds,
    payload ->> 'error' as error,
    -- consecutive runs with nothing to do, or still held, share one row
    coalesce((payload ->> 'runs_count')::bigint, 1) as runs_count,
    (
        select count(*)
        from (
            select
            from runs
            order by case when %(job)s is not null then created_at end
        ) as counted
    ) as total
from shown
order by log_id desc
