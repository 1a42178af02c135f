select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        booking_id,
        square_customer_id,
        location_id,
        team_member_id,
        service_id,
        booking_status,
        start_at,
        customer_note,
        seller_note,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='booking_id',
            copy_number=copy_number('input_bookings__bookings', newest='updated_at'),
            required=['organization_id', 'location_id', 'start_at'],
            timestamps=['start_at', 'created_at', 'updated_at'],
            known_values=words_of_input('input_bookings__bookings'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__bookings') }}
        from {{ ref('input_bookings__bookings') }}
    ) as given
) as judged
