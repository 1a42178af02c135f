{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

judged as (
    select
        *,
        {{ disagreement('risk_status', 'p_order_90d') }} as disagreement
    from positions
),

-- a customer at a time first: to count distinct ones would sort all
by_customer as (
    select
        tenant_id,
        customer_id,
        disagreement,
        count(*) as positions_count,
        sum(p_order_90d) as p_order,
        count(*) filter (where days_until_next_order <= 90) as ordered_count
    from judged
    where disagreement is not null
    group by tenant_id, customer_id, disagreement
),

counted as (
    select
        tenant_id,
        disagreement,
        sum(positions_count)::bigint as positions_count,
        count(*) as customers_count,
        sum(p_order) / sum(positions_count)::double precision as mean_p_order,
        sum(ordered_count)::bigint as ordered_count,
        case
            when count(*) >= {{ var('backtest_min_customers') }}
                then sum(ordered_count) / sum(positions_count)::double precision
        end as ordered_share
    from by_customer
    group by tenant_id, disagreement
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.disagreement,
        counted.positions_count,
        counted.customers_count,
        counted.mean_p_order,
        counted.ordered_count,
        counted.ordered_share,
        {{ wilson('counted.ordered_share', 'counted.customers_count', '-') }}
            as ordered_share_low,
        {{ wilson('counted.ordered_share', 'counted.customers_count', '+') }}
            as ordered_share_high
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
)

select * from final
