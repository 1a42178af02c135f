-- Customers whose first booking in customer_analytics is not the earliest accepted one
-- in the source now, and why. Those changed since the refresh are right with the next
-- one.
--   dbt show --select first_booking_mismatches
with organizations as (
    select * from {{ ref('booking_organizations') }}
),

customers as (
    select * from {{ ref('customer_analytics') }}
),

accepted as (
    select * from {{ ref('stg_bookings__bookings') }}
    where
        is_valid
        and booking_status = 'ACCEPTED'
        and square_customer_id is not null
),

earliest as (
    select distinct on (organization_id, square_customer_id)
        organization_id,
        square_customer_id,
        booking_id,
        start_at,
        updated_at
    from accepted
    order by
        organization_id asc,
        square_customer_id asc,
        start_at asc,
        booking_id::text collate "C" asc
),

compared as (
    select
        coalesce(customers.organization_id, earliest.organization_id)
            as organization_id,
        coalesce(customers.square_customer_id, earliest.square_customer_id)
            as square_customer_id,
        customers.first_booking_id,
        customers.first_booking_at,
        earliest.booking_id as earliest_booking_id,
        earliest.start_at as earliest_at,
        earliest.updated_at
    from customers
    full join earliest
        on
            customers.organization_id = earliest.organization_id
            and customers.square_customer_id = earliest.square_customer_id
)

select
    organizations.organization_slug,
    compared.square_customer_id,
    compared.first_booking_id,
    compared.first_booking_at,
    compared.earliest_booking_id,
    compared.earliest_at,
    case
        when compared.earliest_booking_id is null
            then 'cancelled, deleted or moved since the refresh'
        when compared.updated_at > organizations.as_of then 'changed since the refresh'
        else 'the bookings between the two were changed or deleted since the refresh'
    end as explanation
from compared
inner join organizations
    on compared.organization_id = organizations.organization_id
where
    compared.first_booking_id is distinct from compared.earliest_booking_id
    or compared.first_booking_at is distinct from compared.earliest_at
