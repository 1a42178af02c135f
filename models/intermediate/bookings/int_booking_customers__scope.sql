-- depends_on: {{ ref('int_booking_totals__before') }}
-- The customers that this refresh recomputes: every profile, and every customer seen in
-- a booking or payment, whatever its date.
with profiles as (
    select * from {{ ref('stg_booking__customers') }}
),

bookings as (
    select * from {{ ref('stg_booking__bookings') }}
),

payments as (
    select * from {{ ref('stg_booking__payments') }}
),

seen_in_bookings as (
    select distinct
        organization_id,
        square_customer_id
    from bookings
    where
        is_valid
        and square_customer_id is not null
),

seen_in_payments as (
    select distinct
        organization_id,
        square_customer_id
    from payments
    where
        is_valid
        and square_customer_id is not null
),

final as (
    select
        organization_id,
        square_customer_id
    from profiles
    where is_valid

    union distinct

    select
        organization_id,
        square_customer_id
    from seen_in_bookings

    union distinct

    select
        organization_id,
        square_customer_id
    from seen_in_payments
)

select * from final
