{{ config(tags=['sanity'], meta={'sanity_check': 21}) }}

-- States: no visit, status or payment dated after as_of is in any figure; upcoming
-- bookings are only in next_booking_at.
-- Matters: before anything is published; the answer for a past day must not change
-- later.
-- To resolve: a model of the bookings system does not compare with as_of.
with customers as (
    select * from {{ ref('int_customer_analytics') }}
)

select
    organization_id,
    square_customer_id,
    last_visit_at,
    last_payment_at,
    next_booking_at,
    segment_since
from customers
where
    greatest(first_visit_at, last_visit_at, first_payment_at, last_payment_at)
    > {{ as_of() }}
    or next_booking_at <= {{ as_of() }}
    or next_segment_on < segment_since
    or valid_until <= {{ as_of() }}
