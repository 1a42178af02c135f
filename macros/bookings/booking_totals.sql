{% macro booking_totals() -%}
with organizations as (
    select organization_id
    from {{ ref('int_booking_organizations') }}
    -- a refresh of some customers has no totals to be compared with
    where '{{ var("refresh_scope") }}' = 'all'
),

bookings as (
    select
        bookings.organization_id,
        bookings.square_customer_id is not null as has_customer,
        count(*) as total_bookings,
        count(*) filter (where booking_status = 'ACCEPTED') as total_accepted_bookings,
        count(*) filter (where booking_status = 'NO_SHOW') as total_no_shows,
        count(*) filter (where booking_status = 'CANCELLED_BY_CUSTOMER')
            as total_cancelled_by_customer,
        count(*) filter (where booking_status = 'CANCELLED_BY_SELLER')
            as total_cancelled_by_seller,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__bookings') }} as bookings
    inner join organizations
        on bookings.organization_id = organizations.organization_id
    where bookings.is_valid
    group by has_customer, bookings.organization_id
),

payments as (
    select
        payments.organization_id,
        payments.square_customer_id is not null as has_customer,
        count(*) as total_payments,
        sum(payments.amount_cents) as total_revenue_cents,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__payments') }} as payments
    inner join organizations
        on payments.organization_id = organizations.organization_id
    where
        payments.is_valid
        and payments.payment_status = 'COMPLETED'
        and payments.created_at <= {{ as_of() }}
    group by has_customer, payments.organization_id
),

referral_profiles as (
    select
        referral_profiles.organization_id,
        count(*) filter (where is_activated) as total_referrers,
        sum(referral_count) as total_referrals,
        sum(reward_cents) as total_rewards_cents,
        max(updated_at) as updated_at
    from {{ ref('stg_bookings__referral_profiles') }} as referral_profiles
    inner join organizations
        on referral_profiles.organization_id = organizations.organization_id
    where referral_profiles.is_valid
    group by referral_profiles.organization_id
)

select
    bookings.organization_id,
    bookings.has_customer,
    figures.figure,
    figures.total::numeric as total
from bookings
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
cross join lateral (
    values
    ('total_referrers', referral_profiles.total_referrers),
    ('total_referrals', referral_profiles.total_referrals),
    ('total_rewards_cents', referral_profiles.total_rewards_cents),
    ('referral_profiles_updated', extract(epoch from referral_profiles.updated_at))
) as figures (figure, total)
{%- endmacro %}
