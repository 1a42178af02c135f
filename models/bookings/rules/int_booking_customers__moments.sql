{{ config(materialized='ephemeral') }}

-- Each customer's first accepted booking; the smallest id if several start at the same
-- time.
with lists as (
    select * from {{ ref('int_booking_customers__lists') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

locations as (
    select * from {{ ref('int_booking_locations') }}
),

dated as (
    select
        *,
        accepted_starts[cardinality(accepted_starts)] as first_booking_at
    from lists
),

-- if several start at the same time, the smallest id comes first
first_bookings as (
    select
        organization_id,
        customer_number,
        first_booking_at,
        accepted_ids[array_position(accepted_starts, first_booking_at)] as booking_id,
        accepted_location_ids[array_position(accepted_starts, first_booking_at)]
            as location_id
    from dated
),

final as (
    select
        first_bookings.organization_id,
        first_bookings.customer_number,
        first_bookings.booking_id as first_booking_id,
        first_bookings.location_id as first_booking_location_id,
        -- an unknown location has the time zone of its organization
        {{ local_date(
            'first_bookings.first_booking_at',
            'coalesce(locations.time_zone, organizations.time_zone)'
        ) }} as first_booking_date,
        case
            when first_bookings.first_booking_at <= {{ as_of() }}
                then first_bookings.location_id
        end as first_location_id
    from first_bookings
    inner join organizations
        on first_bookings.organization_id = organizations.organization_id
    left join locations
        on
            first_bookings.organization_id = locations.organization_id
            and first_bookings.location_id = locations.location_id
)

select * from final
