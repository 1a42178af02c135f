-- The last runs: how they ended, how long they took, what they moved.
--   dbt show --select recent_runs --limit 20
select
    runs.payload ->> 'cron_name' as job,
    runs.status,
    runs.created_at as started_at,
    (runs.payload ->> 'seconds')::numeric as seconds,
    runs.payload ->> 'as_of' as as_of,
    moved.rows_written,
    moved.rows_removed,
    (runs.payload ->> 'rows_written')::bigint as customers_written_back,
    runs.payload ->> 'error' as error
from {{ in_operations('application_logs') }} as runs
cross join
    lateral (
        select
            sum((mart.row ->> 'rows_written')::bigint) as rows_written,
            sum((mart.row ->> 'rows_removed')::bigint) as rows_removed
        from jsonb_array_elements(runs.payload -> 'marts') as mart (row)
    ) as moved
order by runs.log_id desc
