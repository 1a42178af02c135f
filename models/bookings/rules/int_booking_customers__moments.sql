-- The bookings behind the first and the latest instant of each customer; the smallest
-- id where several begin at once.
with bookings as (
    select * from {{ ref('int_bookings') }}
),

customers as (
    select * from {{ ref('int_booking_customers__bookings') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

locations as (
    select * from {{ ref('int_booking_locations') }}
),

began_first as (
    select bookings.*
    from customers
    inner join bookings
        on
            customers.organization_id = bookings.organization_id
            and customers.customer_number = bookings.customer_number
            and customers.first_booking_at = bookings.start_at
            and bookings.booking_status = 'ACCEPTED'
),

began_last as (
    select bookings.*
    from customers
    inner join bookings
        on
            customers.organization_id = bookings.organization_id
            and customers.customer_number = bookings.customer_number
            and customers.last_begun_at = bookings.start_at
),

first_bookings as (
    select distinct on (organization_id, customer_number) *
    from began_first
    order by
        organization_id asc,
        customer_number asc,
        booking_id::text collate "C" asc
),

last_bookings as (
    select distinct on (organization_id, customer_number) *
    from began_last
    order by
        organization_id asc,
        customer_number asc,
        booking_id::text collate "C" asc
),

final as (
    select
        customers.organization_id,
        customers.customer_number,
        first_bookings.booking_id as first_booking_id,
        first_bookings.location_id as first_booking_location_id,
        -- an unknown location has the time zone of its organization
        {{ local_date(
            'first_bookings.start_at',
            'coalesce(locations.time_zone, organizations.time_zone)'
        ) }} as first_booking_date,
        case when first_bookings.is_visit then first_bookings.location_id end
            as first_location_id,
        last_bookings.booking_status as last_booking_status
    from customers
    inner join organizations
        on customers.organization_id = organizations.organization_id
    left join first_bookings
        on
            customers.organization_id = first_bookings.organization_id
            and customers.customer_number = first_bookings.customer_number
    left join locations
        on
            first_bookings.organization_id = locations.organization_id
            and first_bookings.location_id = locations.location_id
    left join last_bookings
        on
            customers.organization_id = last_bookings.organization_id
            and customers.customer_number = last_bookings.customer_number
)

select * from final
