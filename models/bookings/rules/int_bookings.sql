{{ config(meta={
    'analyzed': ['organization_id', 'customer_number', 'booking_status', 'is_visit'],
}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

bookings as (
    select * from {{ ref('stg_bookings__bookings') }}
),

placed as (
    select
        bookings.*,
        customers.customer_number,
        customers.today,
        bookings.start_at at time zone customers.time_zone as start_local,
        {{ local_date('bookings.created_at', 'customers.time_zone') }} as created_on
    from customers
    inner join bookings
        on
            customers.organization_id = bookings.organization_id
            and customers.square_customer_id = bookings.square_customer_id
    where bookings.is_valid
    -- a fence: without it, every use of start_local would compute it again
    {{ fence() }}
),

-- texts last: whoever reads the columns before them need not step over them
final as (
    select
        organization_id,
        customer_number,
        start_at,
        start_local,
        today - start_local::date as days_ago,
        booking_status = 'ACCEPTED' and start_at <= {{ as_of() }} as is_visit,
        updated_at,
        created_on,
        booking_status,
        location_id,
        team_member_id,
        service_id,
        booking_id,
        {{ trimmed('customer_note') }} as customer_note,
        {{ trimmed('seller_note') }} as seller_note
    from placed
)

select * from final
