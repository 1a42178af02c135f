{{ config(tags=['sanity'], meta={'sanity_check': 7}) }}

-- States: referrers, referrals and rewards of all customers add up to the source's
-- totals without profiles of unknown customers, per organization.
-- Matters: before anything is published. The next refresh checks organizations that
-- were written to meanwhile.
-- To resolve: see int_booking_customers__referrals.
with totals as (
    select * from {{ ref('int_booking_totals') }}
),

analytics as (
    select * from {{ ref('int_customer_analytics') }}
),

summed as (
    select
        organization_id,
        count(*) filter (where is_referrer) as total_referrers,
        coalesce(sum(total_referrals), 0) as total_referrals,
        coalesce(sum(total_rewards_cents), 0) as total_rewards_cents
    from analytics
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
    != coalesce((to_jsonb(summed) ->> totals.figure)::numeric, 0)
