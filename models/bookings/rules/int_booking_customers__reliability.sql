{{ config(materialized='ephemeral') }}

with bookings as (
    select * from {{ ref('int_booking_customers__bookings') }}
),

judged as (
    select
        organization_id,
        customer_number,
        total_visits,
        total_no_shows,
        total_cancelled_by_customer,
        total_no_shows + total_visits as expected_visits,
        total_no_shows + total_visits + total_cancelled_by_customer as agreed_visits
    from bookings
),

final as (
    select
        organization_id,
        customer_number,
        round(total_no_shows::numeric / nullif(expected_visits, 0), 4)::numeric(5, 4)
            as no_show_rate,
        round(
            total_cancelled_by_customer::numeric / nullif(agreed_visits, 0), 4
        )::numeric(5, 4) as customer_cancellation_rate,
        round(total_visits::numeric / nullif(agreed_visits, 0), 4)::numeric(5, 4)
            as show_rate,
        case
            when agreed_visits = 0 then 'NO_HISTORY'
            -- misses bookings often, and more than once
            when
                total_no_shows
                >= {{ var('unreliable_no_show_rate') }} * expected_visits
                and total_no_shows >= {{ var('unreliable_no_shows') }}
                then 'UNRELIABLE'
            -- misses bookings now and then, or cancels often
            when
                total_no_shows > 0
                and total_no_shows >= {{ var('watch_no_show_rate') }} * expected_visits
                then 'WATCH'
            when
                total_cancelled_by_customer
                >= {{ var('watch_cancellation_rate') }} * agreed_visits
                then 'WATCH'
            else 'RELIABLE'
        end as reliability_tier
    from judged
)

select * from final
