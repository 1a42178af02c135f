select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        organization_slug,
        organization_name,
        {{ iana_zone('time_zone') }} as time_zone,
        is_active,
        updated_at,
        {{ quarantine_reason(
            key='organization_id',
            copy_number=copy_number(
                'input_bookings__organizations', newest='updated_at'
            ),
            required=['organization_slug', 'time_zone', 'is_active'],
            time_zones=['time_zone'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__organizations') }}
        from {{ ref('input_bookings__organizations') }}
    ) as given
) as judged
