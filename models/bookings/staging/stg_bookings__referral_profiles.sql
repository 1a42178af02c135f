select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        square_customer_id,
        is_activated,
        activated_at,
        referral_source,
        referral_count,
        reward_cents,
        updated_at,
        {{ quarantine_reason(
            key='square_customer_id',
            required=['organization_id'],
            timestamps=['activated_at', 'updated_at'],
            cents=['reward_cents'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            square_customer_id,
            is_activated,
            activated_at,
            referral_source,
            referral_count,
            reward_cents,
            updated_at,
            {{ copy_number(
                source('bookings', 'referral_profiles'),
                key=['organization_id', 'square_customer_id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('bookings', 'referral_profiles') }}
    ) as renamed
) as judged
