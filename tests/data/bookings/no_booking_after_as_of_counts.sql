{{ config(tags=['sanity'], meta={'sanity_check': 21}) }}

-- States: no visit or payment dated after as_of is the first or last, and every next
-- booking is after it; total_visits and last_booking_status are those of the bookings
-- that have begun, counted anew.
-- Matters: before anything is published; the answer for a past day must not change
-- later.
-- To resolve: a model of the bookings system does not compare with as_of.
with customers as (
    select * from {{ ref('int_booking_customers') }}
),

analytics as (
    select * from {{ ref('int_customer_analytics') }}
),

-- as_of compared here once more
begun as (
    select
        organization_id,
        customer_number,
        count(*) filter (where booking_status = 'ACCEPTED') as visits_count,
        (
            array_agg(
                booking_status
                order by start_at desc, booking_id::text collate "C" asc
            )
        )[1] as last_status
    from {{ ref('int_bookings') }}
    where start_at <= {{ as_of() }}
    group by customer_number, organization_id
)

select
    analytics.organization_id,
    analytics.square_customer_id,
    analytics.last_visit_at,
    analytics.last_payment_at,
    analytics.next_booking_at,
    analytics.segment_since,
    analytics.total_visits,
    begun.visits_count,
    analytics.last_booking_status,
    begun.last_status
from analytics
inner join customers
    on
        analytics.organization_id = customers.organization_id
        and analytics.square_customer_id = customers.square_customer_id
left join begun
    on
        customers.organization_id = begun.organization_id
        and customers.customer_number = begun.customer_number
where
    greatest(
        analytics.first_visit_at,
        analytics.last_visit_at,
        analytics.first_payment_at,
        analytics.last_payment_at
    ) > {{ as_of() }}
    or analytics.next_booking_at <= {{ as_of() }}
    or analytics.next_segment_on < analytics.segment_since
    or analytics.valid_until <= {{ as_of() }}
    or analytics.total_visits != coalesce(begun.visits_count, 0)
    or analytics.last_booking_status is distinct from begun.last_status
