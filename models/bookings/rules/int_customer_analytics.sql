{{ config(meta={'analyzed': ['organization_id', 'square_customer_id']}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

bookings as (
    select * from {{ ref('int_booking_customers__bookings') }}
),

lists as (
    select * from {{ ref('int_booking_customers__lists') }}
),

moments as (
    select * from {{ ref('int_booking_customers__moments') }}
),

reliability as (
    select * from {{ ref('int_booking_customers__reliability') }}
),

money as (
    select * from {{ ref('int_booking_customers__money') }}
),

cadence as (
    select * from {{ ref('int_booking_customers__cadence') }}
),

preferences as (
    select * from {{ ref('int_booking_customers__preferences') }}
),

referrals as (
    select * from {{ ref('int_booking_customers__referrals') }}
),

segment as (
    select * from {{ ref('int_booking_customers__segment') }}
),

final as (
    select
        -- identity
        customers.organization_id,
        customers.square_customer_id,
        customers.given_name,
        customers.family_name,
        coalesce(
            nullif(concat_ws(' ', customers.given_name, customers.family_name), ''),
            customers.email_address,
            customers.square_customer_id::text
        ) as display_name,
        customers.email_address,
        customers.phone_number,
        customers.profile_created_at,
        customers.acquisition_source,
        customers.has_profile,
        -- timeline
        bookings.first_booking_at,
        bookings.last_booking_at,
        bookings.first_visit_at,
        bookings.last_visit_at,
        bookings.next_booking_at,
        money.first_payment_at,
        money.last_payment_at,
        bookings.last_no_show_at,
        bookings.last_cancellation_at,
        {{ local_date('bookings.first_booking_at', 'customers.time_zone') }}
        - {{ local_date('customers.profile_created_at', 'customers.time_zone') }}
            as days_profile_to_first_booking,
        -- first booking
        moments.first_booking_id,
        moments.first_booking_location_id,
        moments.first_booking_date,
        -- volumes
        coalesce(bookings.total_bookings, 0) as total_bookings,
        coalesce(bookings.total_accepted_bookings, 0) as total_accepted_bookings,
        coalesce(bookings.total_visits, 0) as total_visits,
        coalesce(bookings.upcoming_bookings, 0) as upcoming_bookings,
        coalesce(bookings.pending_bookings, 0) as pending_bookings,
        coalesce(bookings.declined_bookings, 0) as declined_bookings,
        coalesce(bookings.total_cancelled_by_customer, 0)
            as total_cancelled_by_customer,
        coalesce(bookings.total_cancelled_by_seller, 0) as total_cancelled_by_seller,
        coalesce(bookings.total_no_shows, 0) as total_no_shows,
        coalesce(bookings.other_status_bookings, 0) as other_status_bookings,
        coalesce(bookings.visits_last_30d, 0) as visits_last_30d,
        coalesce(bookings.visits_last_90d, 0) as visits_last_90d,
        coalesce(bookings.visits_prior_90d, 0) as visits_prior_90d,
        coalesce(bookings.visits_last_365d, 0) as visits_last_365d,
        -- reliability
        reliability.no_show_rate,
        reliability.customer_cancellation_rate,
        reliability.show_rate,
        lists.last_booking_status,
        coalesce(reliability.reliability_tier, 'NO_HISTORY') as reliability_tier,
        -- money
        coalesce(money.total_revenue_cents, 0) as total_revenue_cents,
        coalesce(money.total_tips_cents, 0) as total_tips_cents,
        coalesce(money.gross_revenue_cents, 0) as gross_revenue_cents,
        coalesce(money.refunded_cents, 0) as refunded_cents,
        coalesce(money.net_revenue_cents, 0) as net_revenue_cents,
        coalesce(money.total_payments, 0) as total_payments,
        coalesce(money.avg_ticket_cents, 0) as avg_ticket_cents,
        money.median_ticket_cents,
        money.max_ticket_cents,
        money.last_ticket_cents,
        money.tip_rate,
        coalesce(money.revenue_last_30d_cents, 0) as revenue_last_30d_cents,
        coalesce(money.revenue_last_90d_cents, 0) as revenue_last_90d_cents,
        coalesce(money.revenue_prior_90d_cents, 0) as revenue_prior_90d_cents,
        coalesce(money.revenue_last_365d_cents, 0) as revenue_last_365d_cents,
        money.revenue_trend_90d_pct,
        -- cadence
        cadence.avg_days_between_visits,
        cadence.median_days_between_visits,
        cadence.stddev_days_between_visits,
        cadence.recent_cadence_days,
        cadence.expected_next_visit_date,
        coalesce(cadence.cadence_confidence, 'NONE') as cadence_confidence,
        -- preferences
        preferences.preferred_team_member_id,
        preferences.preferred_team_member_share,
        preferences.preferred_service_id,
        preferences.preferred_location_id,
        moments.first_location_id,
        coalesce(preferences.distinct_locations, 0) as distinct_locations,
        coalesce(preferences.distinct_team_members, 0) as distinct_team_members,
        coalesce(preferences.distinct_services, 0) as distinct_services,
        preferences.preferred_weekday,
        preferences.preferred_daypart,
        -- notes
        coalesce(lists.booking_notes, '[]'::jsonb) as booking_notes,
        coalesce(lists.notes_count, 0) as notes_count,
        lists.last_note_at,
        -- referrals
        coalesce(referrals.is_referrer, false) as is_referrer,
        referrals.activated_as_referrer_at,
        referrals.referral_source,
        coalesce(referrals.total_referrals, 0) as total_referrals,
        coalesce(referrals.total_rewards_cents, 0) as total_rewards_cents,
        -- segment
        coalesce(segment.customer_segment, 'NEVER_VISITED') as customer_segment,
        segment.segment_since,
        segment.next_segment,
        segment.next_segment_on,
        coalesce(bookings.total_visits, 0) = 1 as is_one_time_visitor,
        -- audit
        organizations.threshold_row,
        least(
            bookings.next_begin_at,
            money.next_payment_at,
            {{ local_midnight(
                'customers.today + least('
                ~ 'bookings.days_to_next_window_change, money.days_to_next_window_change,'
                ~ 'segment.next_segment_on - customers.today)',
                'customers.time_zone'
            ) }}
        ) as valid_until,
        greatest(
            customers.profile_updated_at,
            bookings.bookings_updated_at,
            money.payments_updated_at,
            referrals.referrals_updated_at
        ) as source_updated_at,
        organizations.as_of as created_at,
        organizations.as_of as updated_at,
        organizations.as_of as refreshed_at
    from customers
    inner join organizations
        on customers.organization_id = organizations.organization_id
    left join bookings
        on
            customers.organization_id = bookings.organization_id
            and customers.customer_number = bookings.customer_number
    left join lists
        on
            customers.organization_id = lists.organization_id
            and customers.customer_number = lists.customer_number
    left join moments
        on
            customers.organization_id = moments.organization_id
            and customers.customer_number = moments.customer_number
    left join reliability
        on
            customers.organization_id = reliability.organization_id
            and customers.customer_number = reliability.customer_number
    left join money
        on
            customers.organization_id = money.organization_id
            and customers.customer_number = money.customer_number
    left join cadence
        on
            customers.organization_id = cadence.organization_id
            and customers.customer_number = cadence.customer_number
    left join preferences
        on
            customers.organization_id = preferences.organization_id
            and customers.customer_number = preferences.customer_number
    left join referrals
        on
            customers.organization_id = referrals.organization_id
            and customers.customer_number = referrals.customer_number
    left join segment
        on
            customers.organization_id = segment.organization_id
            and customers.customer_number = segment.customer_number
)

select * from final
