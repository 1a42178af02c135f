-- Closed customers are no longer assessed, but their orders still belong to the history
-- of their cohort.
with scope as (
    select * from {{ ref('int_customers__scope') }}
),

customers as (
    select * from {{ ref('stg_orders__customers') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

orders as (
    select * from {{ ref('stg_orders__orders') }}
),

delivered as (
    select
        customers.tenant_id,
        customers.customer_id,
        orders.delivered_at,
        {{ local_date('orders.delivered_at', 'tenants.time_zone') }} as delivered_on
    from scope
    inner join customers
        on
            scope.tenant_id = customers.tenant_id
            and scope.customer_id = customers.customer_id
    inner join tenants
        on customers.tenant_id = tenants.tenant_id
    inner join orders
        on
            customers.tenant_id = orders.tenant_id
            and customers.customer_id = orders.customer_id
    where
        customers.is_valid
        and customers.is_closed
        and orders.is_valid
        and orders.order_status != 'CANCELLED'
        and orders.delivered_at is not null
),

-- future days, too, because nothing would announce when they come
days as (
    select
        tenant_id,
        customer_id,
        delivered_on,
        min(delivered_at) as delivered_at
    from delivered
    group by customer_id, tenant_id, delivered_on
),

final as (
    select
        tenant_id,
        customer_id,
        delivered_on,
        min(delivered_on) over (partition by customer_id, tenant_id)
            as first_delivered_on,
        delivered_at
    from days
)

select * from final
