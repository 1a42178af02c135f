select
    organization_id,
    square_customer_id,
    is_activated,
    activated_at,
    referral_source,
    referral_count,
    reward_cents,
    updated_at
from {{ source('bookings', 'referral_profiles') }}
