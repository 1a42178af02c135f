-- The jobs: how the last run of each ended, and when one last succeeded.
select
    job,
    last_run_at,
    last_status,
    last_success_at,
    failures_in_a_row,
    rows_written,
    seconds::double precision as seconds,
    drift,
    error
from operations.job_status
order by job
