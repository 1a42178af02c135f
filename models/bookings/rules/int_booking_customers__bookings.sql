{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

with bookings as (
    select * from {{ ref('int_bookings') }}
),

final as (
    select
        organization_id,
        customer_number,
        min(start_at) filter (where booking_status = 'ACCEPTED') as first_booking_at,
        max(start_at) filter (where booking_status = 'ACCEPTED') as last_booking_at,
        min(start_at) filter (where is_visit) as first_visit_at,
        max(start_at) filter (where is_visit) as last_visit_at,
        min(start_at) filter (where booking_status = 'ACCEPTED' and not is_visit)
            as next_booking_at,
        max(start_at) filter (where booking_status = 'NO_SHOW') as last_no_show_at,
        max(start_at) filter (
            where booking_status in ('CANCELLED_BY_CUSTOMER', 'CANCELLED_BY_SELLER')
        ) as last_cancellation_at,
        min(start_at) filter (where start_at > {{ as_of() }}) as next_begin_at,
        count(*) as total_bookings,
        count(*) filter (where booking_status = 'ACCEPTED') as total_accepted_bookings,
        count(*) filter (where is_visit) as total_visits,
        count(*) filter (where booking_status = 'ACCEPTED' and not is_visit)
            as upcoming_bookings,
        count(*) filter (where booking_status = 'PENDING') as pending_bookings,
        count(*) filter (where booking_status = 'DECLINED') as declined_bookings,
        count(*) filter (where booking_status = 'CANCELLED_BY_CUSTOMER')
            as total_cancelled_by_customer,
        count(*) filter (where booking_status = 'CANCELLED_BY_SELLER')
            as total_cancelled_by_seller,
        count(*) filter (where booking_status = 'NO_SHOW') as total_no_shows,
        count(*) filter (
            where booking_status not in (
                'ACCEPTED',
                'PENDING',
                'DECLINED',
                'CANCELLED_BY_CUSTOMER',
                'CANCELLED_BY_SELLER',
                'NO_SHOW'
            )
        ) as other_status_bookings,
        count(*) filter (where is_visit and days_ago < 30) as visits_last_30d,
        count(*) filter (where is_visit and days_ago < 90) as visits_last_90d,
        count(*) filter (where is_visit and days_ago >= 90 and days_ago < 180)
            as visits_prior_90d,
        count(*) filter (where is_visit and days_ago < 365) as visits_last_365d,
        {{ days_to_next_window_change('is_visit') }} as days_to_next_window_change,
        max(updated_at) as bookings_updated_at
    from bookings
    group by customer_number, organization_id
)

select * from final
