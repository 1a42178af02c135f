with locations as (
    select * from {{ ref('stg_bookings__locations') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

final as (
    select
        locations.organization_id,
        locations.location_id,
        locations.location_name,
        coalesce(locations.time_zone, organizations.time_zone) as time_zone
    from locations
    inner join organizations
        on locations.organization_id = organizations.organization_id
    where locations.is_valid
)

select * from final
