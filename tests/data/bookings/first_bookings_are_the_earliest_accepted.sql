{{ config(tags=['sanity'], meta={'sanity_check': 6}) }}

-- States: first_booking_at is the earliest start of the customer's accepted bookings,
-- and is NULL only if there is none.
-- Matters: before anything is published; it decides who is new, where and when.
-- To resolve: see int_booking_customers__bookings, and the analysis
-- first_booking_mismatches for the rows behind it.
with customers as (
    select * from {{ ref('int_booking_customers') }}
),

analytics as (
    select * from {{ ref('int_customer_analytics') }}
),

earliest as (
    select
        organization_id,
        customer_number,
        min(start_at) as start_at
    from {{ ref('int_bookings') }}
    where booking_status = 'ACCEPTED'
    group by customer_number, organization_id
)

select
    customers.organization_id,
    customers.square_customer_id,
    analytics.first_booking_at,
    earliest.start_at as earliest_at
from customers
left join analytics
    on
        customers.organization_id = analytics.organization_id
        and customers.square_customer_id = analytics.square_customer_id
left join earliest
    on
        customers.organization_id = earliest.organization_id
        and customers.customer_number = earliest.customer_number
where analytics.first_booking_at is distinct from earliest.start_at
