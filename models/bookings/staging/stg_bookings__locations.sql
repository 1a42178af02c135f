select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        location_id,
        location_name,
        time_zone,
        updated_at,
        {{ quarantine_reason(
            key='location_id',
            required=['organization_id'],
            time_zones=['time_zone'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as location_id,
            name as location_name,
            time_zone,
            updated_at,
            {{ copy_number(
                source('bookings', 'locations'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('bookings', 'locations') }}
    ) as renamed
) as judged
