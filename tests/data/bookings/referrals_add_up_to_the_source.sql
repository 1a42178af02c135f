{{ config(tags=['sanity'], meta={'sanity_check': 7}) }}

-- States: referrers, referrals and rewards of all customers, and of referral profiles
-- without a customer, add up to the source's totals, per organization.
-- Matters: before anything is published. The next refresh checks organizations that
-- were written to meanwhile.
-- To resolve: see int_booking_customers__referrals.
with totals as (
    select * from {{ ref('int_booking_totals') }}
),

counted as (
    select
        organization_id,
        is_referrer,
        total_referrals,
        total_rewards_cents
    from {{ ref('int_customer_analytics') }}

    union all

    select
        referral_profiles.organization_id,
        referral_profiles.is_activated,
        referral_profiles.referral_count,
        referral_profiles.reward_cents
    from {{ ref('stg_bookings__referral_profiles') }} as referral_profiles
    left join {{ ref('int_booking_customers') }} as customers
        on
            referral_profiles.organization_id = customers.organization_id
            and referral_profiles.square_customer_id = customers.square_customer_id
    where
        referral_profiles.is_valid
        and customers.organization_id is null
),

summed as (
    select
        organization_id,
        count(*) filter (where is_referrer) as total_referrers,
        coalesce(sum(total_referrals), 0) as total_referrals,
        coalesce(sum(total_rewards_cents), 0) as total_rewards_cents
    from counted
    group by organization_id
)

select
    totals.organization_id,
    totals.figure,
    totals.total as source_total,
    to_jsonb(summed) ->> totals.figure as computed_total
from totals
left join summed
    on totals.organization_id = summed.organization_id
where
    totals.figure in ('total_referrers', 'total_referrals', 'total_rewards_cents')
    and coalesce(totals.total, 0)
    is distinct from (to_jsonb(summed) ->> totals.figure)::numeric
