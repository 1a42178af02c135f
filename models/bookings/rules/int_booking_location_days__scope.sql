{{ config(unique_key=['organization_id', 'location_id', 'date']) }}

-- The locations and dates that an hourly refresh recomputes; a nightly one takes all.
with organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

locations as (
    select * from {{ ref('int_booking_locations') }}
),

bookings as not materialized (
    select * from {{ ref('stg_bookings__bookings') }}
),

changed_keys as not materialized (
    select * from {{ ref('int_changed_keys__bookings') }}
),

location_days as (
    select * from {{ as_before_refresh('booking_location_days') }} as published
),

starts as (
    select
        organization_id,
        location_id,
        starts_at
    from changed_keys
    where kind = 'location_day'

    union all

    select
        bookings.organization_id,
        bookings.location_id,
        bookings.start_at as starts_at
    from changed_keys
    inner join bookings
        on
            changed_keys.organization_id = bookings.organization_id
            and changed_keys.location_id = bookings.location_id
            and changed_keys.kind = 'location'
    where bookings.is_valid

    union all

    select
        bookings.organization_id,
        bookings.location_id,
        bookings.start_at as starts_at
    from changed_keys
    inner join bookings
        on
            changed_keys.organization_id = bookings.organization_id
            and changed_keys.kind = 'tenant'
    where bookings.is_valid
),

dated as (
    select
        starts.organization_id,
        starts.location_id,
        {{ local_date(
            'starts.starts_at', 'coalesce(locations.time_zone, organizations.time_zone)'
        ) }} as date
    from starts
    inner join organizations
        on starts.organization_id = organizations.organization_id
    left join locations
        on
            starts.organization_id = locations.organization_id
            and starts.location_id = locations.location_id

    union distinct

    -- the dates that they had in another time zone
    select
        location_days.organization_id,
        location_days.location_id,
        location_days.date
    from changed_keys
    inner join location_days
        on
            changed_keys.organization_id = location_days.organization_id
            and (
                changed_keys.kind = 'tenant'
                or (
                    changed_keys.kind = 'location'
                    and changed_keys.location_id = location_days.location_id
                )
            )
),

final as (
    select
        organization_id,
        location_id,
        date,
        -- wide enough for any time zone: a date starts within a day of its midnight in
        -- UTC
        (date - 1)::timestamp at time zone 'UTC' as earliest_start_at,
        (date + 2)::timestamp at time zone 'UTC' as latest_start_at,
        true as is_due
    from dated
)

select * from final
