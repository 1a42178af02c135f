{{ config(tags=['sanity'], meta={'sanity_check': 17}, severity='warn') }}

-- States: some order, and some booking, changed of late, see source_stale_after_hours,
-- where their systems are switched on.
-- Matters: a warning here; the write-back of a system that is stale is held, unless
-- forced.
-- To resolve: find out why no data of the application arrives any more.
with freshness as (
    select * from {{ ref('int_source_freshness__orders') }}
    union all
    select * from {{ ref('int_source_freshness__bookings') }}
)

select *
from freshness
where is_stale
