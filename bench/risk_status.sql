-- The risk status of customers, from the orders that it reads. Every other way computes
-- this. Thresholds are constants and every row counts as valid. The benchmark inserts
-- the instant, the customers to compute and the orders to read.
with customers as (
    select
        customers.tenant_id,
        customers.id as customer_id,
        tenants.time_zone,
        ({as_of} at time zone tenants.time_zone)::date as today
    from commerce.customers
    inner join commerce.tenants on customers.tenant_id = tenants.id
    where tenants.is_active and not customers.is_closed and {which_customers}
),

deliveries as (
    select
        orders.tenant_id,
        orders.customer_id,
        customers.today,
        (orders.delivered_at at time zone customers.time_zone)::date as delivered_on,
        case
            when orders.total_amount > 0 then (orders.total_amount * 100)::bigint
        end as cents,
        orders.currency,
        row_number() over (
            partition by orders.customer_id, orders.tenant_id
            order by orders.delivered_at desc, orders.id desc
        ) as place
    from commerce.orders
    inner join customers
        on
            orders.tenant_id = customers.tenant_id
            and orders.customer_id = customers.customer_id
    where
        orders.delivered_at <= {as_of}
        and orders.ordered_at >= '1970-01-01'
        and orders.status <> 'CANCELLED'
        and {which_orders}
),

neighbours as (
    select
        *,
        delivered_on - lead(delivered_on) over (
            partition by customer_id, tenant_id order by place
        ) as gap_days,
        currency <> lead(currency) over (
            partition by customer_id, tenant_id order by place
        ) as has_currency_changed
    from deliveries
),

figures as (
    select
        tenant_id,
        customer_id,
        today,
        count(*) as total_delivered_orders,
        max(delivered_on) as last_order_date,
        cast(
            round(avg(case when gap_days > 0 and place <= 4 then gap_days end)) as integer
        ) as average_order_interval_days,
        sum(case when place <= 3 then cents end) as recent_cents,
        count(case when place <= 3 then cents end) as recent_count,
        sum(case when place between 4 and 13 then cents end) as baseline_cents,
        count(case when place between 4 and 13 then cents end) as baseline_count,
        max(case when has_currency_changed and place <= 12 then 1 else 0 end) as is_mixed
    from neighbours
    group by customer_id, tenant_id, today
),

expected as (
    select
        *,
        last_order_date + coalesce(average_order_interval_days, 45) as expected_on
    from figures
)

select
    tenant_id,
    customer_id,
    case
        when today >= expected_on + 45 then 'DORMANT'
        when today >= expected_on + 1 then 'AT_RISK_CADENCE'
        when
            is_mixed = 0 and recent_count >= 1 and baseline_count >= 2
            and (baseline_cents * recent_count - recent_cents * baseline_count) * 100
            >= 15 * baseline_cents * recent_count
            then 'AT_RISK_REVENUE'
        else 'HEALTHY'
    end as risk_status,
    last_order_date,
    total_delivered_orders,
    average_order_interval_days,
    expected_on as next_expected_order_date
from expected
