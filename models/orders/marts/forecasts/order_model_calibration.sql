{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

forecasts as (
    select
        positions.tenant_id,
        positions.customer_id,
        horizons.horizon_days,
        horizons.p_order,
        -- tenths; a probability of 1 belongs to the last one
        least(floor(horizons.p_order * 10), 9)::integer as band,
        coalesce(positions.days_until_next_order <= horizons.horizon_days, false)
            as has_ordered
    from positions
    cross join
        lateral (
            values
            (30, positions.p_order_30d),
            (60, positions.p_order_60d),
            (90, positions.p_order_90d)
        ) as horizons (horizon_days, p_order)
    where horizons.p_order is not null
),

-- group by customer first, because count(distinct) would sort all rows
by_customer as (
    select
        tenant_id,
        customer_id,
        horizon_days,
        band,
        count(*) as positions_count,
        sum(p_order) as p_order,
        count(*) filter (where has_ordered) as ordered_count
    from forecasts
    group by tenant_id, customer_id, horizon_days, band
),

counted as (
    select
        tenant_id,
        horizon_days,
        band,
        sum(positions_count)::bigint as positions_count,
        count(*) as customers_count,
        sum(p_order) / sum(positions_count)::double precision as mean_p_order,
        sum(ordered_count)::bigint as ordered_count,
        sum(ordered_count) / sum(positions_count)::double precision as ordered_share
    from by_customer
    group by tenant_id, horizon_days, band
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.horizon_days,
        counted.band,
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
