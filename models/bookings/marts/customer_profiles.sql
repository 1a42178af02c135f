{{ config(
    materialized='view_in_place',
    post_hook="{{ explain_customer_analytics() }}",
) }}

with customers as (
    select * from {{ ref('customer_analytics') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

aged as (
    select
        customers.*,
        organizations.today
        - {{ local_date('customers.profile_created_at', 'organizations.time_zone') }}
            as profile_age_days,
        organizations.today
        - {{ local_date('customers.first_visit_at', 'organizations.time_zone') }}
            as tenure_days,
        organizations.today
        - {{ local_date('customers.last_visit_at', 'organizations.time_zone') }}
            as days_since_last_visit,
        {{ local_date('customers.next_booking_at', 'organizations.time_zone') }}
        - organizations.today as days_until_next_booking,
        organizations.today - customers.expected_next_visit_date as days_overdue,
        organizations.today - customers.segment_since as days_in_segment
    from customers
    inner join organizations
        on customers.organization_id = organizations.organization_id
),

final as (
    select
        *,
        concat_ws(
            ', ',
            display_name || ': ' || lower(replace(customer_segment, '_', ' ')),
            case
                when total_visits > 0
                    then
                        {{ count_of('total_visits', 'visit') }}
                        || ' in ' || {{ count_of('tenure_days + 1', 'day') }}
            end,
            'usually every ' || {{ count_of('recent_cadence_days', 'day') }},
            'last ' || {{ count_of('days_since_last_visit', 'day') }} || ' ago',
            'next booked in ' || {{ count_of('days_until_next_booking', 'day') }},
            case
                when total_payments > 0
                    then
                        'paid ' || (total_revenue_cents / 100.0)::numeric(18, 2)::text
                        || ', ' || (avg_ticket_cents / 100.0)::numeric(18, 2)::text
                        || ' a time'
            end,
            case when reliability_tier = 'UNRELIABLE' then 'often stays away' end
        ) as summary
    from aged
)

select * from final
