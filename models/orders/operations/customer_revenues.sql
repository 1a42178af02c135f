-- Queried for one tenant at a time, when one of its customers becomes dormant, so that
-- only this tenant's orders are read.
with tenants as (
    select * from {{ ref('tenants') }}
),

customers as (
    select * from {{ ref('customer_risk_status') }}
),

orders as (
    select * from {{ ref('stg_orders__orders') }}
),

outlook as (
    select * from {{ ref('customer_outlook') }}
),

summed as (
    select
        orders.tenant_id,
        orders.customer_id,
        sum(orders.total_cents) as revenue_cents,
        min(orders.currency) as currency,
        count(distinct coalesce(orders.currency, '')) as currencies_count
    from tenants
    inner join orders
        on
            tenants.tenant_id = orders.tenant_id
    where
        orders.delivered_at <= tenants.as_of
        and {{ local_date('orders.delivered_at', 'tenants.time_zone') }}
        > tenants.today - 365
        and orders.is_valid
        and orders.order_status != 'CANCELLED'
        and orders.total_cents > 0
    group by orders.tenant_id, orders.customer_id
),

valued as (
    select
        customers.tenant_id,
        customers.customer_id,
        customers.last_order_date,
        case when coalesce(summed.currencies_count, 1) <= 1 then summed.currency end
            as currency,
        -- an amount in mixed currencies is meaningless
        case
            when coalesce(summed.currencies_count, 1) <= 1
                then coalesce(summed.revenue_cents, 0) / 100.0
        end as revenue_amount
    from customers
    left join summed
        on
            customers.tenant_id = summed.tenant_id
            and customers.customer_id = summed.customer_id
),

ranked as (
    select
        *,
        rank() over (
            partition by tenant_id order by revenue_amount desc nulls last
        ) as revenue_rank,
        count(*) over (partition by tenant_id) as customers_count
    from valued
),

final as (
    select
        ranked.tenant_id,
        ranked.customer_id,
        ranked.currency,
        ranked.revenue_amount::numeric(18, 2) as revenue_last_365d_amount,
        ranked.revenue_rank,
        outlook.expected_amount_90d,
        -- ties at the limit are all included
        ranked.revenue_amount > 0
        and (ranked.revenue_rank - 1) * 100
        < ranked.customers_count * {{ var('high_value_pct') }} as is_high_value
    from ranked
    -- every customer with a status has an outlook; it is computed only for the queried
    -- ones
    inner join outlook
        on
            ranked.tenant_id = outlook.tenant_id
            and ranked.customer_id = outlook.customer_id
            and ranked.last_order_date = outlook.last_order_date
)

select * from final
