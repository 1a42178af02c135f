{% macro booking_totals() -%}
with organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

-- summed first: a join of all rows would take longer than their sums
bookings as (
    select
        organization_id,
        square_customer_id is not null as has_customer,
        count(*) as total_bookings,
        count(*) filter (where booking_status = 'ACCEPTED') as total_accepted_bookings,
        count(*) filter (where booking_status = 'NO_SHOW') as total_no_shows,
        count(*) filter (where booking_status = 'CANCELLED_BY_CUSTOMER')
            as total_cancelled_by_customer,
        count(*) filter (where booking_status = 'CANCELLED_BY_SELLER')
            as total_cancelled_by_seller,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__bookings') }}
    where
        is_valid
        -- a refresh of some customers has no totals to be compared with
        and '{{ var("refresh_scope") }}' = 'all'
    group by has_customer, organization_id
),

payments as (
    select
        organization_id,
        square_customer_id is not null as has_customer,
        count(*) as total_payments,
        sum(amount_cents) as total_revenue_cents,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__payments') }}
    where
        is_valid
        and payment_status = 'COMPLETED'
        and created_at <= {{ as_of() }}
        and '{{ var("refresh_scope") }}' = 'all'
    group by has_customer, organization_id
),

referral_profiles as (
    select
        organization_id,
        count(*) filter (where is_activated) as total_referrers,
        sum(referral_count) as total_referrals,
        sum(reward_cents) as total_rewards_cents,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__referral_profiles') }}
    where
        is_valid
        and '{{ var("refresh_scope") }}' = 'all'
    group by organization_id
)

select
    bookings.organization_id,
    bookings.has_customer,
    figures.figure,
    figures.total::numeric as total
from bookings
inner join organizations
    on bookings.organization_id = organizations.organization_id
cross join lateral (
    values
    ('total_bookings', bookings.total_bookings),
    ('total_accepted_bookings', bookings.total_accepted_bookings),
    ('total_no_shows', bookings.total_no_shows),
    ('total_cancelled_by_customer', bookings.total_cancelled_by_customer),
    ('total_cancelled_by_seller', bookings.total_cancelled_by_seller),
    ('bookings_updated', extract(epoch from bookings.updated_at))
) as figures (figure, total)

union all

select
    payments.organization_id,
    payments.has_customer,
    figures.figure,
    figures.total::numeric as total
from payments
inner join organizations
    on payments.organization_id = organizations.organization_id
cross join lateral (
    values
    ('total_payments', payments.total_payments),
    ('total_revenue_cents', payments.total_revenue_cents),
    ('payments_updated', extract(epoch from payments.updated_at))
) as figures (figure, total)

union all

select
    referral_profiles.organization_id,
    true as has_customer,
    figures.figure,
    figures.total::numeric as total
from referral_profiles
inner join organizations
    on referral_profiles.organization_id = organizations.organization_id
cross join lateral (
    values
    ('total_referrers', referral_profiles.total_referrers),
    ('total_referrals', referral_profiles.total_referrals),
    ('total_rewards_cents', referral_profiles.total_rewards_cents),
    ('referral_profiles_updated', extract(epoch from referral_profiles.updated_at))
) as figures (figure, total)
{%- endmacro %}
