{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 8}) }}

-- States: the new customers of all locations and dates are the customers with a first
-- booking, per organization: everybody is new once.
-- Matters: after the publication; if it fails, nothing is written back. The next
-- refresh checks organizations that were written to while this one was reading.
-- To resolve: a customer's first booking has no row in booking_location_days, or two.
with appointments as (
    select
        organization_id,
        sum(new_customers) as new_customers
    from {{ ref('analytics_appointments_by_location_daily') }}
    group by organization_id
),

customers as (
    select
        organization_id,
        count(first_booking_at) as customers_with_first_booking
    from {{ ref('customer_analytics') }}
    group by organization_id
),

-- without organizations that were written to meanwhile
totals as (
    select * from {{ ref('int_booking_totals') }}
)

select
    customers.organization_id,
    customers.customers_with_first_booking,
    appointments.new_customers
from customers
left join appointments
    on customers.organization_id = appointments.organization_id
where
    customers.organization_id in (select totals.organization_id from totals)
    and coalesce(appointments.new_customers, 0)
    is distinct from customers.customers_with_first_booking
