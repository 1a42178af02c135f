{{ config(tags=['sanity'], meta={'sanity_check': 18}, severity='warn') }}

-- States: a full refresh for the as_of that the marts already have finds nothing to
-- correct.
-- Matters: after the publication; a warning, because the source may have been edited
-- since.
-- To resolve: unless it was edited, the hourly refresh missed a change: check triggers,
-- updated_at and valid_until. The marts are correct now.
with publications as (
    {% for system in var('systems') %}
        select
            run_id,
            as_of,
            held_as_of,
            refresh_scope,
            mart,
            rows_written,
            rows_removed
        from {{ ref(system ~ '_publications') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select *
from publications
where
    run_id = '{{ var("run_id") or invocation_id }}'
    and refresh_scope = 'all'
    and held_as_of = as_of
    and rows_written + rows_removed > 0
    -- backfilled days are new
    and {{ var('backfill_days') }} = 0
