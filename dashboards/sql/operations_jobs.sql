-- Each job: how its last run ended, and when it last succeeded.
select
    job,
    last_run_at,
    last_status,
    last_success_at,
    extract(epoch from success_age)::bigint as success_age_seconds,
    failures_in_a_row,
    seconds,
    rows_written,
    drift,
    error
from operations.job_status
order by last_run_at desc
