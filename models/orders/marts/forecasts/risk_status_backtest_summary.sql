{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

counted as (
    select
        positions.tenant_id,
        positions.risk_status,
        horizons.horizon_days,
        count(*) as positions_count,
        count(distinct positions.customer_id) as customers_count,
        count(*) filter (
            where positions.days_until_next_order <= horizons.horizon_days
        ) as ordered_count,
        -- where no next order was seen, it may be at any later time
        percentile_disc(0.5) within group (
            order by coalesce(positions.days_until_next_order, 1000000)
        ) as median_days
    from positions
    cross join (values (30), (60), (90)) as horizons (horizon_days)
    group by positions.tenant_id, positions.risk_status, horizons.horizon_days
),

shared as (
    select
        *,
        case
            when customers_count >= {{ var('backtest_min_customers') }}
                then ordered_count / positions_count::double precision
        end as ordered_share
    from counted
),

final as (
    select
        shared.tenant_id,
        tenants.tenant_slug,
        shared.risk_status,
        shared.horizon_days,
        shared.positions_count,
        shared.customers_count,
        shared.ordered_count,
        shared.ordered_share,
        -- a customer stands in many cuts: its positions are no trials of their own
        {{ wilson('shared.ordered_share', 'shared.customers_count', '-') }}
            as ordered_share_low,
        {{ wilson('shared.ordered_share', 'shared.customers_count', '+') }}
            as ordered_share_high,
        nullif(shared.median_days, 1000000) as median_days_until_next_order
    from shared
    inner join tenants
        on shared.tenant_id = tenants.tenant_id
)

select * from final
