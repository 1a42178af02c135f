select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        location_id,
        location_name,
        {{ iana_zone('time_zone') }} as time_zone,
        updated_at,
        {{ quarantine_reason(
            key='location_id',
            copy_number=copy_number('input_bookings__locations', newest='updated_at'),
            required=['organization_id'],
            time_zones=['time_zone'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__locations') }}
        from {{ ref('input_bookings__locations') }}
    ) as given
) as judged
