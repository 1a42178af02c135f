{{ config(meta={'analyzed': ['organization_id', 'square_customer_id']}) }}

-- Bookings to show to people; no rule reads them.
with customers as (
    select * from {{ ref('int_booking_customers') }}
),

lists as (
    select * from {{ ref('int_booking_customers__lists') }}
),

final as (
    select
        customers.organization_id,
        customers.square_customer_id,
        lists.start_dates,
        lists.booking_statuses
    from customers
    inner join lists
        on
            customers.organization_id = lists.organization_id
            and customers.customer_number = lists.customer_number
)

select * from final
