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

-- group by customer first, because count(distinct) would sort all rows
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

shares as (
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
),

-- if the whole interval is at least one half, believe the side that expected an order
judged_by_share as (
    select
        *,
        case
            when ordered_share is null then 'TOO_FEW'
            when
                ordered_share_low >= 0.5
                and disagreement = 'UNLIKELY_THOUGH_ON_TIME'
                then 'STATUS'
            when ordered_share_low >= 0.5 then 'FORECAST'
            when ordered_share_high >= 0.5 then 'NOT_SURE'
            when disagreement = 'UNLIKELY_THOUGH_ON_TIME' then 'FORECAST'
            else 'STATUS'
        end as believe
    from shares
),

final as (
    select
        *,
        (
            case
                when disagreement = 'LIKELY_THOUGH_DORMANT'
                    then {{ var('disagreement_dormant_from') }}
                when disagreement = 'LIKELY_THOUGH_LATE'
                    then {{ var('disagreement_late_from') }}
                else {{ var('disagreement_on_time_below') }}
            end
        )::double precision as p_order_limit
    from judged_by_share
)

select * from final
