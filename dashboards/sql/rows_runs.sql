-- Runs, the latest first: how they ended, how long they took, what they moved and
-- corrected.
with runs as not materialized (
    select
        log_id,
        created_at,
        status,
        payload
    from operations.application_logs
    where
        (%(run)s is null or log_id::text = %(run)s)
        and (%(job)s is null or payload ->> 'cron_name' = %(job)s)
        and (%(run_status)s is null or status = %(run_status)s)
),

-- the payloads of the other runs are not read, only counted: the runs of one job are
-- in the order of its index, because a scan of the table would read all of them
shown as (
    select * from runs
    order by
        -- NULL without a job
        case when %(job)s is not null then created_at end desc,
        log_id desc
    limit %(limit)s offset %(offset)s
)

select
    shown.log_id,
    shown.created_at,
    shown.payload ->> 'cron_name' as job,
    shown.status,
    (shown.payload ->> 'seconds')::numeric as seconds,
    (shown.payload ->> 'as_of')::timestamptz as as_of,
    moved.rows_moved,
    (shown.payload ->> 'rows_written')::bigint as rows_written,
    (shown.payload ->> 'drift')::bigint as drift,
    shown.payload ->> 'full_because' as full_because,
    shown.payload ->> 'error' as error,
    -- consecutive runs with nothing to do share one row
    (shown.payload ->> 'runs_count')::bigint as runs_count,
    (shown.payload ->> 'runs_since')::timestamptz as runs_since,
    (
        select count(*)
        from (
            select
            from runs
            order by case when %(job)s is not null then created_at end
        ) as counted
    ) as rows_count
from shown
cross join
    lateral (
        select
            sum(
                (mart.entry ->> 'rows_written')::bigint
                + (mart.entry ->> 'rows_removed')::bigint
            )::bigint as rows_moved
        from jsonb_array_elements(shown.payload -> 'marts') as mart (entry)
    ) as moved
order by shown.log_id desc
