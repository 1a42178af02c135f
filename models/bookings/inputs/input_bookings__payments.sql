select
    organization_id,
    payment_id,
    square_customer_id,
    location_id,
    status as payment_status,
    amount_cents,
    tip_cents,
    refunded_cents,
    created_at,
    updated_at
from {{ source('bookings', 'payments') }}
