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
            copy_number=copy_number(
                'input_bookings__referral_profiles', newest='updated_at'
            ),
            required=['organization_id'],
            timestamps=['activated_at', 'updated_at'],
            cents=['reward_cents'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__referral_profiles') }}
        from {{ ref('input_bookings__referral_profiles') }}
    ) as given
) as judged
