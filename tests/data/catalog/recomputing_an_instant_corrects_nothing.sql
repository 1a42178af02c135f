{{ config(tags=['sanity'], meta={'sanity_check': 18}, severity='warn') }}

-- States: a full refresh for an instant that the marts hold already, be it from an
-- hourly refresh or a full one, finds nothing to correct.
-- Matters: after the publication; a warning, for the source may have been edited since.
-- To resolve: unless it was, a change is missed by what tells the hourly refresh which
-- customers to recompute. The marts are right now.
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
    -- days that are made up for are new
    and {{ var('backfill_days') }} = 0
