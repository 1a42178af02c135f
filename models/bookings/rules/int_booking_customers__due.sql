-- Customers that change although none of their rows was written.
with analytics as not materialized (
    select * from {{ as_before_refresh('customer_analytics') }} as published
),

changed_keys as (
    select * from {{ ref('int_changed_keys__bookings') }}
),

final as (
    -- time has passed
    select
        organization_id,
        square_customer_id
    from analytics
    where valid_until <= {{ as_of() }}

    union distinct

    -- the first booking has another date when its location has another time zone
    select
        analytics.organization_id,
        analytics.square_customer_id
    from changed_keys
    inner join analytics
        on
            changed_keys.organization_id = analytics.organization_id
            and changed_keys.location_id = analytics.first_booking_location_id
            and changed_keys.kind = 'location'
)

select * from final
