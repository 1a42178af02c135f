-- Bookings to look at, for people: no rule reads them.
with customers as (
    select * from {{ ref('int_booking_customers') }}
),

bookings as (
    select * from {{ ref('int_bookings') }}
),

newest_first as (
    select
        organization_id,
        customer_number,
        array_agg(
            start_local::date order by start_at desc, booking_id::text collate "C" asc
        ) as start_dates,
        -- of varchar an array is no array of text
        array_agg(
            booking_status::text
            order by start_at desc, booking_id::text collate "C" asc
        ) as booking_statuses
    from bookings
    group by customer_number, organization_id
),

final as (
    select
        customers.organization_id,
        customers.square_customer_id,
        newest_first.start_dates[:{{ var('shown_orders') }}] as start_dates,
        newest_first.booking_statuses[:{{ var('shown_orders') }}] as booking_statuses
    from customers
    inner join newest_first
        on
            customers.organization_id = newest_first.organization_id
            and customers.customer_number = newest_first.customer_number
)

select * from final
