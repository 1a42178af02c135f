{% macro explain_customer_analytics() -%}
{#-
explain_customer_analytics(organization, customer), a post-hook of the view of this
name: profile, bookings, payments and referral profile of one customer, each with the
figures of customer_analytics that it contributes to. It reads the application through
its index; rows that changed after the refresh are marked.
-#}
{%- set customers = ref('customer_analytics').include(database=false) -%}
{%- set organizations = ref('booking_organizations').include(database=false) -%}
{%- set profiles = ref('stg_bookings__customers').include(database=false) -%}
{%- set bookings = ref('stg_bookings__bookings').include(database=false) -%}
{%- set payments = ref('stg_bookings__payments').include(database=false) -%}
{%- set referrals = ref('stg_bookings__referral_profiles').include(database=false) -%}
{%- set function = this.schema ~ '.explain_customer_analytics' -%}
create or replace function {{ function }}(of_tenant text, of_customer text)
returns table (
    row_kind text,
    row_id text,
    row_status text,
    happened_at timestamptz,
    happened_on date,
    location_id text,
    team_member_id text,
    service_id text,
    amount_cents bigint,
    tip_cents bigint,
    refunded_cents bigint,
    counts_in text[],
    left_out_because text,
    has_changed_since boolean
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $explain$
#variable_conflict use_column
{{ only_for_readers_of(
    customers,
    'bookings',
    var('bookings_organization_id_type'),
    var('bookings_customer_id_type')
) }}
    return query
    with asked as (
        select
            customers.*,
            organizations.as_of,
            organizations.today,
            organizations.time_zone
        from {{ customers }} as customers
        inner join {{ organizations }} as organizations
            on customers.organization_id = organizations.organization_id
        where
            customers.organization_id = asked_tenant
            and customers.square_customer_id = asked_customer
    ),

    own_profile as (
        select
            'profile' as row_kind,
            profiles.square_customer_id::text as row_id,
            null::text as row_status,
            {{ plausible('profiles.created_at') }} as happened_at,
            {{ local_date(plausible('profiles.created_at'), 'asked.time_zone') }}
                as happened_on,
            null::text as location_id,
            null::text as team_member_id,
            null::text as service_id,
            null::bigint as amount_cents,
            null::bigint as tip_cents,
            null::bigint as refunded_cents,
            case
                when profiles.is_valid
                    then
                        array[
                            'has_profile', 'profile_created_at', 'given_name',
                            'family_name', 'display_name', 'email_address', 'phone_number',
                            'acquisition_source'
                        ]
                        || case
                            when asked.days_profile_to_first_booking is not null
                                then array['days_profile_to_first_booking']
                        end
                else '{}'
            end as counts_in,
            profiles.quarantine_reason as left_out_because,
            profiles.updated_at > asked.as_of as has_changed_since
        from asked
        inner join {{ profiles }} as profiles
            on
                asked.organization_id = profiles.organization_id
                and asked.square_customer_id = profiles.square_customer_id
    ),

    placed as (
        select
            asked.*,
            bookings.booking_id,
            bookings.booking_status,
            -- left-out rows may hold dates that no client can read
            {{ plausible('bookings.start_at') }} as start_at,
            {{ plausible('bookings.start_at') }} at time zone asked.time_zone
                as start_local,
            bookings.location_id,
            bookings.team_member_id,
            bookings.service_id,
            bookings.is_valid,
            bookings.quarantine_reason,
            bookings.updated_at > asked.as_of as has_changed_since,
            coalesce(
                {{ trimmed('bookings.customer_note') }},
                {{ trimmed('bookings.seller_note') }}
            ) is not null as has_note,
            bookings.is_valid and bookings.booking_status = 'ACCEPTED' as is_accepted,
            bookings.is_valid and bookings.booking_status = 'NO_SHOW' as is_no_show,
            bookings.is_valid
            and bookings.booking_status = 'CANCELLED_BY_CUSTOMER' as is_cancelled,
            bookings.is_valid
            and bookings.booking_status = 'ACCEPTED'
            and bookings.start_at <= asked.as_of as is_visit,
            asked.today
            - {{ local_date(plausible('bookings.start_at'), 'asked.time_zone') }}
                as days_ago
        from asked
        inner join {{ bookings }} as bookings
            on
                asked.organization_id = bookings.organization_id
                and asked.square_customer_id = bookings.square_customer_id
    ),

    ranked as (
        select
            *,
            is_visit and dense_rank() over (
                partition by is_visit order by start_local::date desc
            ) <= 5 as is_of_cadence,
            row_number() over (
                partition by is_valid, start_at <= as_of
                order by start_at desc, booking_id::text collate "C" asc
            ) = 1 and is_valid and start_at <= as_of as has_begun_last
        from placed
    ),

    own_bookings as (
        select
            'booking' as row_kind,
            booking_id::text as row_id,
            booking_status::text as row_status,
            start_at as happened_at,
            start_local::date as happened_on,
            location_id::text as location_id,
            team_member_id::text as team_member_id,
            service_id::text as service_id,
            null::bigint as amount_cents,
            null::bigint as tip_cents,
            null::bigint as refunded_cents,
            array_remove(
                array[
                    case when is_valid then 'total_bookings' end,
                    case when is_accepted then 'total_accepted_bookings' end,
                    case when is_visit then 'total_visits' end,
                    case when is_accepted and not is_visit then 'upcoming_bookings' end,
                    {%- for status, figure in {
                        'PENDING': 'pending_bookings',
                        'DECLINED': 'declined_bookings',
                        'CANCELLED_BY_CUSTOMER': 'total_cancelled_by_customer',
                        'CANCELLED_BY_SELLER': 'total_cancelled_by_seller',
                        'NO_SHOW': 'total_no_shows',
                    }.items() %}
                    case
                        when is_valid and booking_status = '{{ status }}'
                            then '{{ figure }}'
                    end,
                    {%- endfor %}
                    case
                        when
                            is_valid and booking_status not in (
                                'ACCEPTED', 'PENDING', 'DECLINED', 'NO_SHOW',
                                'CANCELLED_BY_CUSTOMER', 'CANCELLED_BY_SELLER'
                            )
                            then 'other_status_bookings'
                    end,
                    {%- for figure, window in {
                        'visits_last_30d': 'days_ago < 30',
                        'visits_last_90d': 'days_ago < 90',
                        'visits_prior_90d': 'days_ago >= 90 and days_ago < 180',
                        'visits_last_365d': 'days_ago < 365',
                    }.items() %}
                    case when is_visit and {{ window }} then '{{ figure }}' end,
                    {%- endfor %}
                    {%- for figure, rows in {
                        'first_booking_at': 'is_accepted',
                        'last_booking_at': 'is_accepted',
                        'next_booking_at': 'is_accepted and not is_visit',
                        'first_visit_at': 'is_visit',
                        'last_visit_at': 'is_visit',
                        'last_no_show_at': "is_valid and booking_status = 'NO_SHOW'",
                        'last_cancellation_at': "is_valid and booking_status in"
                            ~ " ('CANCELLED_BY_CUSTOMER', 'CANCELLED_BY_SELLER')",
                        'last_note_at': 'is_valid and has_note',
                    }.items() %}
                    case when {{ rows }} and start_at = {{ figure }} then '{{ figure }}' end,
                    {%- endfor %}
                    {%- for figure in [
                        'first_booking_id', 'first_booking_date', 'first_booking_location_id',
                        'first_location_id', 'days_profile_to_first_booking'
                    ] %}
                    case
                        when booking_id = first_booking_id and {{ figure }} is not null
                            then '{{ figure }}'
                    end,
                    {%- endfor %}
                    case when is_visit or is_no_show then 'no_show_rate' end,
                    {%- for figure in [
                        'show_rate', 'customer_cancellation_rate', 'reliability_tier'
                    ] %}
                    case
                        when is_visit or is_no_show or is_cancelled then '{{ figure }}'
                    end,
                    {%- endfor %}
                    case when has_begun_last then 'last_booking_status' end,
                    {%- for figure in [
                        'avg_days_between_visits', 'median_days_between_visits',
                        'stddev_days_between_visits', 'cadence_confidence'
                    ] %}
                    case
                        when is_visit and {{ figure }} is not null then '{{ figure }}'
                    end,
                    {%- endfor %}
                    {%- for figure in ['recent_cadence_days', 'expected_next_visit_date'] %}
                    case
                        when is_of_cadence and recent_cadence_days is not null
                            then '{{ figure }}'
                    end,
                    {%- endfor %}
                    {%- for figure in [
                        'team_member_id', 'service_id', 'location_id'
                    ] %}
                    case
                        when is_visit and {{ figure }}::text = preferred_{{ figure }}::text
                            then 'preferred_{{ figure }}'
                    end,
                    {%- endfor %}
                    case
                        when
                            is_visit
                            and extract(isodow from start_local) = preferred_weekday
                            then 'preferred_weekday'
                    end,
                    case
                        when is_visit and {{ daypart('start_local') | indent(24) }}
                            = preferred_daypart
                            then 'preferred_daypart'
                    end,
                    {%- for figure, chosen in {
                        'preferred_team_member_share': 'team_member_id',
                        'distinct_team_members': 'team_member_id',
                        'distinct_services': 'service_id',
                        'distinct_locations': 'location_id',
                    }.items() %}
                    case
                        when is_visit and {{ chosen }} is not null then '{{ figure }}'
                    end,
                    {%- endfor %}
                    {%- for figure in ['notes_count', 'booking_notes'] %}
                    case when is_valid and has_note then '{{ figure }}' end,
                    {%- endfor %}
                    case when is_visit then 'is_one_time_visitor' end,
                    -- a customer that came back is ACTIVE since the day of that visit
                    case
                        when
                            is_visit
                            and (
                                start_at in (first_visit_at, last_visit_at)
                                or start_local::date = segment_since
                            )
                            then 'segment_since'
                    end,
                    {%- for figure in ['customer_segment', 'next_segment', 'next_segment_on'] %}
                    case
                        when
                            is_visit
                            and start_at in (first_visit_at, last_visit_at)
                            and {{ figure }} is not null
                            then '{{ figure }}'
                    end
                    {{- ',' if not loop.last }}
                    {%- endfor %}
                ],
                null
            ) as counts_in,
            quarantine_reason as left_out_because,
            has_changed_since
        from ranked
    ),

    paid as (
        select
            asked.*,
            payments.payment_id,
            payments.payment_status,
            {{ plausible('payments.created_at') }} as paid_at,
            {{ local_date(plausible('payments.created_at'), 'asked.time_zone') }} as paid_on,
            payments.location_id,
            payments.amount_cents,
            payments.tip_cents,
            payments.refunded_cents as refund_cents,
            payments.quarantine_reason,
            payments.updated_at > asked.as_of as has_changed_since,
            payments.is_valid
            and payments.payment_status = 'COMPLETED'
            and payments.created_at <= asked.as_of as is_paid,
            asked.today
            - {{ local_date(plausible('payments.created_at'), 'asked.time_zone') }}
                as days_ago
        from asked
        inner join {{ payments }} as payments
            on
                asked.organization_id = payments.organization_id
                and asked.square_customer_id = payments.square_customer_id
    ),

    paid_in_order as (
        select
            *,
            is_paid and row_number() over (
                partition by is_paid order by paid_at desc, payment_id::text collate "C" asc
            ) = 1 as is_last_ticket
        from paid
    ),

    own_payments as (
        select
            'payment' as row_kind,
            payment_id::text as row_id,
            payment_status::text as row_status,
            paid_at as happened_at,
            paid_on as happened_on,
            location_id::text as location_id,
            null::text as team_member_id,
            null::text as service_id,
            amount_cents,
            tip_cents,
            -- a refund counts for at most its payment's amount
            case
                when is_paid then greatest(least(refund_cents, amount_cents), 0)
                else refund_cents
            end as refunded_cents,
            array_remove(
                array[
                    {%- for figure in [
                        'total_payments', 'total_revenue_cents', 'total_tips_cents',
                        'gross_revenue_cents', 'refunded_cents', 'net_revenue_cents',
                        'avg_ticket_cents', 'median_ticket_cents'
                    ] %}
                    case when is_paid then '{{ figure }}' end,
                    {%- endfor %}
                    {%- for figure, window in {
                        'revenue_last_30d_cents': 'days_ago < 30',
                        'revenue_last_90d_cents': 'days_ago < 90',
                        'revenue_prior_90d_cents': 'days_ago >= 90 and days_ago < 180',
                        'revenue_last_365d_cents': 'days_ago < 365',
                        'revenue_trend_90d_pct':
                            'days_ago < 180 and revenue_trend_90d_pct is not null',
                        'tip_rate': 'tip_rate is not null',
                    }.items() %}
                    case when is_paid and {{ window }} then '{{ figure }}' end,
                    {%- endfor %}
                    {%- for figure in ['first_payment_at', 'last_payment_at'] %}
                    case
                        when is_paid and paid_at = {{ figure }} then '{{ figure }}'
                    end,
                    {%- endfor %}
                    case
                        when is_paid and amount_cents = max_ticket_cents
                            then 'max_ticket_cents'
                    end,
                    case when is_last_ticket then 'last_ticket_cents' end
                ],
                null
            ) as counts_in,
            quarantine_reason as left_out_because,
            has_changed_since
        from paid_in_order
    ),

    own_referrals as (
        select
            'referral profile' as row_kind,
            referrals.square_customer_id::text as row_id,
            case when referrals.is_activated then 'ACTIVATED' end as row_status,
            {{ plausible('referrals.activated_at') }} as happened_at,
            {{ local_date(plausible('referrals.activated_at'), 'asked.time_zone') }}
                as happened_on,
            null::text as location_id,
            null::text as team_member_id,
            null::text as service_id,
            referrals.reward_cents::bigint as amount_cents,
            null::bigint as tip_cents,
            null::bigint as refunded_cents,
            case
                when referrals.is_valid
                    then
                        array[
                            'is_referrer', 'activated_as_referrer_at', 'referral_source',
                            'total_referrals', 'total_rewards_cents'
                        ]
                else '{}'
            end as counts_in,
            referrals.quarantine_reason as left_out_because,
            referrals.updated_at > asked.as_of as has_changed_since
        from asked
        inner join {{ referrals }} as referrals
            on
                asked.organization_id = referrals.organization_id
                and asked.square_customer_id = referrals.square_customer_id
    ),

    united as (
        select * from own_profile
        union all
        select * from own_bookings
        union all
        select * from own_payments
        union all
        select * from own_referrals
    )

    select
        united.row_kind,
        united.row_id,
        united.row_status,
        united.happened_at,
        united.happened_on,
        united.location_id,
        united.team_member_id,
        united.service_id,
        united.amount_cents,
        united.tip_cents,
        united.refunded_cents,
        united.counts_in,
        united.left_out_because,
        coalesce(united.has_changed_since, false)
    from united
    order by
        united.happened_at desc nulls last, united.row_kind asc, united.row_id asc;
end
$explain$;

comment on function {{ function }} is
'{{ our_mark() }}The current profile, bookings, payments and referral profile of one
customer in the application, each with the figures of customer_analytics that it
contributes to.'
{%- endmacro %}
