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
    updated_at
from {{ source('bookings', 'bookings') }}
