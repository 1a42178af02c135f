{{ config(tags=['sanity'], meta={'sanity_check': 8}) }}

-- States: the bookings of all locations and dates, with and without a customer, add up
-- to the source's totals, per organization: all, accepted, no-shows, cancelled.
-- Matters: before anything is published. The next refresh checks organizations that
-- were written to meanwhile.
-- To resolve: see int_booking_location_days; a booking counts once, wherever it is.
with totals as (
    select
        organization_id,
        figure,
        sum(total) as total
    from {{ ref('int_booking_totals') }}
    group by organization_id, figure
),

summed as (
    select
        organization_id,
        sum(total_bookings) as total_bookings,
        sum(accepted_appointments) as total_accepted_bookings,
        sum(no_show_appointments) as total_no_shows,
        sum(cancelled_by_customer) as total_cancelled_by_customer,
        sum(cancelled_by_seller) as total_cancelled_by_seller
    from {{ ref('int_booking_location_days') }}
    group by organization_id
)

select
    totals.organization_id,
    totals.figure,
    totals.total as source_total,
    to_jsonb(summed) ->> totals.figure as computed_total
from totals
left join summed
    on totals.organization_id = summed.organization_id
where
    totals.figure in (
        'total_bookings',
        'total_accepted_bookings',
        'total_no_shows',
        'total_cancelled_by_customer',
        'total_cancelled_by_seller'
    )
    and totals.total is distinct from (to_jsonb(summed) ->> totals.figure)::numeric
