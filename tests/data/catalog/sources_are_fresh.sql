{{ config(tags=['sanity'], meta={'sanity_check': 17}, severity='warn') }}

-- States: in each enabled system, at least one order or booking has changed within
-- source_stale_after_hours.
-- Matters: only a warning here, but the write-back of a stale system is held unless
-- forced.
-- To resolve: find out why the application's data no longer arrives.
with freshness as (
    select * from {{ ref('int_source_freshness__orders') }}
    union all
    select * from {{ ref('int_source_freshness__bookings') }}
)

select *
from freshness
where is_stale
