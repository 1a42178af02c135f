-- One customer of the bookings system: every figure, then the rows of the source behind
-- them, with what each row counts as. Put in the organization and the customer:
{%- set organization_slug = 'glow-salon' %}
{%- set square_customer_id = 'C1' %}
--   dbt show --select customer_bookings_profile --limit -1
with organization as (
    select *
    from {{ ref('booking_organizations') }}
    where organization_slug = '{{ organization_slug }}'
),

profile as (
    select profiles.*
    from {{ ref('customer_profiles') }} as profiles
    inner join organization
        on profiles.organization_id = organization.organization_id
    where profiles.square_customer_id = '{{ square_customer_id }}'
),

figures as (
    select
        1 as part,
        null::timestamptz as happened_at,
        figure.key as item,
        figure.value as detail,
        null as counts_as
    from profile
    cross join lateral jsonb_each_text(to_jsonb(profile)) as figure
),

bookings as (
    select
        2 as part,
        bookings.start_at as happened_at,
        bookings.booking_id::text as item,
        concat_ws(
            ', ',
            bookings.booking_status,
            'at ' || bookings.location_id::text,
            'by ' || bookings.team_member_id::text,
            'for ' || bookings.service_id::text,
            'customer note: ' || bookings.customer_note,
            'seller note: ' || bookings.seller_note
        ) as detail,
        case
            when not bookings.is_valid then 'left out: ' || bookings.quarantine_reason
            when bookings.booking_id = profile.first_booking_id then 'first booking'
            when bookings.booking_status != 'ACCEPTED' then 'booking'
            when bookings.start_at <= organization.as_of then 'visit'
            else 'upcoming'
        end as counts_as
    from profile
    cross join organization
    inner join {{ ref('stg_bookings__bookings') }} as bookings
        on
            profile.organization_id = bookings.organization_id
            and profile.square_customer_id = bookings.square_customer_id
),

payments as (
    select
        3 as part,
        payments.created_at as happened_at,
        payments.payment_id::text as item,
        format(
            '%s, amount %s, tip %s, refunded %s cents',
            payments.payment_status,
            payments.amount_cents,
            payments.tip_cents,
            payments.refunded_cents
        ) as detail,
        case
            when not payments.is_valid then 'left out: ' || payments.quarantine_reason
            when payments.payment_status != 'COMPLETED' then 'nothing'
            when payments.created_at <= organization.as_of then 'payment'
            else 'nothing yet'
        end as counts_as
    from profile
    cross join organization
    inner join {{ ref('stg_bookings__payments') }} as payments
        on
            profile.organization_id = payments.organization_id
            and profile.square_customer_id = payments.square_customer_id
),

referrals as (
    select
        4 as part,
        referral_profiles.activated_at as happened_at,
        'referral profile' as item,
        format(
            '%s referrals, %s cents',
            referral_profiles.referral_count,
            referral_profiles.reward_cents
        ) as detail,
        case when referral_profiles.is_activated then 'referrer' end as counts_as
    from profile
    inner join {{ ref('stg_bookings__referral_profiles') }} as referral_profiles
        on
            profile.organization_id = referral_profiles.organization_id
            and profile.square_customer_id = referral_profiles.square_customer_id
),

final as (
    select * from figures
    union all
    select * from bookings
    union all
    select * from payments
    union all
    select * from referrals
)

select
    item,
    happened_at,
    detail,
    counts_as
from final
order by part asc, happened_at desc nulls last
