select
    organization_id,
    square_customer_id,
    given_name,
    family_name,
    email_address,
    phone_number,
    acquisition_source,
    created_at,
    updated_at
from {{ source('bookings', 'customers') }}
