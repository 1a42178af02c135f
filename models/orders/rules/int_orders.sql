{{ config(meta={
    'analyzed': ['tenant_id', 'customer_id', 'ordered_at', 'is_draft', 'delivered_at'],
}) }}

with customers as (
    select * from {{ ref('int_customers') }}
),

orders as (
    select * from {{ ref('stg_orders__orders') }}
),

final as (
    select
        orders.tenant_id,
        orders.customer_id,
        orders.order_id,
        orders.order_status = 'DRAFT' as is_draft,
        orders.ordered_at,
        {{ local_date('orders.ordered_at', 'customers.time_zone') }} as ordered_on,
        orders.delivered_at,
        {{ local_date('orders.delivered_at', 'customers.time_zone') }} as delivered_on,
        case when orders.total_cents > 0 then orders.total_cents end as counted_cents,
        orders.currency
    from customers
    inner join orders
        on
            customers.tenant_id = orders.tenant_id
            and customers.customer_id = orders.customer_id
    where
        orders.is_valid
        and orders.order_status != 'CANCELLED'
)

select * from final
