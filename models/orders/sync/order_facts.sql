{{ config(post_hook="{{ after_order_created() }}") }}

-- Dates rather than statuses, because the hook can run at any moment. Nested, without
-- CTEs, so that one order is looked up by index.
select
    tenant_id,
    customer_id,
    order_id,
    time_zone,
    placed_at,
    -- the dates of int_order_pauses and int_deliveries, for this order alone
    placed_on + active_days + 1 as target_on,
    delivered_at,
    delivered_on,
    -- with the shortest possible cadence
    delivered_on + 1 + dormant_days as dormant_on
from (
    select
        orders.tenant_id,
        orders.customer_id,
        orders.order_id,
        tenants.time_zone,
        tenants.active_days,
        tenants.dormant_days,
        case when orders.order_status != 'DRAFT' then orders.ordered_at end
            as placed_at,
        case
            when orders.order_status != 'DRAFT'
                then {{ local_date('orders.ordered_at', 'tenants.time_zone') }}
        end as placed_on,
        orders.delivered_at,
        {{ local_date('orders.delivered_at', 'tenants.time_zone') }} as delivered_on
    from {{ ref('stg_orders__orders') }} as orders
    inner join {{ ref('stg_orders__customers') }} as customers
        on
            orders.tenant_id = customers.tenant_id
            and orders.customer_id = customers.customer_id
    inner join {{ ref('tenants') }} as tenants
        on orders.tenant_id = tenants.tenant_id
    -- a tenant that has changed since the last refresh waits for the next one
    inner join {{ ref('stg_orders__tenants') }} as source_tenants
        on
            tenants.tenant_id = source_tenants.tenant_id
            and tenants.time_zone = source_tenants.time_zone
    where
        orders.is_valid
        and orders.order_status != 'CANCELLED'
        and customers.is_valid
        and not customers.is_closed
        and source_tenants.is_active
) as facts
