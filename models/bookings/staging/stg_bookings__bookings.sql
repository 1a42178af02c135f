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
        updated_at,
        {{ quarantine_reason(
            key='booking_id',
            required=['organization_id', 'location_id', 'start_at'],
            timestamps=['start_at', 'created_at', 'updated_at'],
            known_values={
                'booking_status': [
                    'PENDING',
                    'ACCEPTED',
                    'DECLINED',
                    'CANCELLED_BY_CUSTOMER',
                    'CANCELLED_BY_SELLER',
                    'NO_SHOW',
                ]
            },
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            booking_id,
            square_customer_id,
            location_id,
            team_member_id,
            service_id,
            status as booking_status,
            start_at,
            customer_note,
            seller_note,
            created_at,
            updated_at,
            {{ copy_number(
                source('bookings', 'bookings'),
                key=['organization_id', 'booking_id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('bookings', 'bookings') }}
    ) as renamed
) as judged
