{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

counted as (
    select
        tenant_id,
        risk_status,
        count(*) as positions_count,
        count(distinct customer_id) as customers_count,
        count(*) filter (where days_until_next_order <= 30) as ordered_30d_count,
        count(*) filter (where days_until_next_order <= 60) as ordered_60d_count,
        count(*) filter (where days_until_next_order <= 90) as ordered_90d_count,
        -- without a known next order, it may come at any later time
        percentile_disc(0.5) within group (
            order by coalesce(days_until_next_order, {{ more_days_than_any() }})
        ) as median_days
    from positions
    group by tenant_id, risk_status
),

shared as (
    select
        counted.*,
        horizon.days as horizon_days,
        horizon.ordered_count,
        case
            when counted.customers_count >= {{ var('backtest_min_customers') }}
                then horizon.ordered_count / counted.positions_count::double precision
        end as ordered_share
    from counted
    cross join
        lateral (
            values
            (30, counted.ordered_30d_count),
            (60, counted.ordered_60d_count),
            (90, counted.ordered_90d_count)
        ) as horizon (days, ordered_count)
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
        -- a customer is in many cuts, so its positions are not independent trials
        {{ wilson('shared.ordered_share', 'shared.customers_count', '-') }}
            as ordered_share_low,
        {{ wilson('shared.ordered_share', 'shared.customers_count', '+') }}
            as ordered_share_high,
        nullif(shared.median_days, {{ more_days_than_any() }})
            as median_days_until_next_order
    from shared
    inner join tenants
        on shared.tenant_id = tenants.tenant_id
)

select * from final
