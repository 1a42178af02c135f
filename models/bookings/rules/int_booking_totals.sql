-- depends_on: {{ ref('int_booking_location_days') }}
with before as (
    select * from {{ ref('int_booking_totals__before') }}
),

after as (
    {{ booking_totals() }}
),

-- if the application wrote while the refresh was reading, the next refresh checks these
written_to as (
    select coalesce(before.organization_id, after.organization_id) as organization_id
    from before
    full join after
        on
            before.organization_id = after.organization_id
            and before.has_customer = after.has_customer
            and before.figure = after.figure
    where before.total is distinct from after.total
),

-- referral profiles whose customer is not there, as of the same instant
without_customer as (
    select
        referral_profiles.organization_id,
        count(*) filter (where referral_profiles.is_activated) as total_referrers,
        sum(referral_profiles.referral_count) as total_referrals,
        sum(referral_profiles.reward_cents) as total_rewards_cents
    from {{ ref('stg_bookings__referral_profiles') }} as referral_profiles
    where
        referral_profiles.is_valid
        and '{{ var("refresh_scope") }}' = 'all'
        and not exists (
            select from {{ ref('int_customer_analytics') }} as customers
            where
                referral_profiles.organization_id = customers.organization_id
                and referral_profiles.square_customer_id = customers.square_customer_id
        )
    group by referral_profiles.organization_id
),

final as (
    select
        after.organization_id,
        after.has_customer,
        after.figure,
        after.total - coalesce(
            case after.figure
                when 'total_referrers' then without_customer.total_referrers
                when 'total_referrals' then without_customer.total_referrals
                when 'total_rewards_cents' then without_customer.total_rewards_cents
            end,
            0
        ) as total
    from after
    left join without_customer
        on after.organization_id = without_customer.organization_id
    where
        after.organization_id not in (select written_to.organization_id from written_to)
)

select * from final
