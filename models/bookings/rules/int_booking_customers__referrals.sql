{{ config(materialized='ephemeral') }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

referral_profiles as (
    select * from {{ ref('stg_bookings__referral_profiles') }}
),

final as (
    select
        referral_profiles.organization_id,
        customers.customer_number,
        coalesce(referral_profiles.is_activated, false) as is_referrer,
        case when referral_profiles.is_activated then referral_profiles.activated_at end
            as activated_as_referrer_at,
        {{ trimmed('referral_profiles.referral_source') }} as referral_source,
        coalesce(referral_profiles.referral_count, 0) as total_referrals,
        coalesce(referral_profiles.reward_cents, 0) as total_rewards_cents,
        referral_profiles.updated_at as referrals_updated_at
    from customers
    inner join referral_profiles
        on
            customers.organization_id = referral_profiles.organization_id
            and customers.square_customer_id = referral_profiles.square_customer_id
    where referral_profiles.is_valid
)

select * from final
