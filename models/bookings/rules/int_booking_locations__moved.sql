{{ config(materialized='ephemeral') }}

-- Locations that came, left, or have another time zone since the last refresh.
with locations as (
    select * from {{ ref('int_booking_locations') }}
),

published as (
    select * from {{ as_before_refresh('booking_locations') }} as locations
),

final as (
    select
        coalesce(locations.organization_id, published.organization_id)
            as organization_id,
        coalesce(locations.location_id, published.location_id) as location_id
    from locations
    full outer join published
        on
            locations.organization_id = published.organization_id
            and locations.location_id = published.location_id
    where
        locations.time_zone is distinct from published.time_zone
        -- which takes everything anyway
        and not {{ is_first_refresh('booking_locations') }}
)

select * from final
