{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('customer_segment_positions') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

counted as (
    select
        positions.organization_id,
        positions.customer_segment,
        horizons.horizon_days,
        count(*) as positions_count,
        count(distinct positions.square_customer_id) as customers_count,
        count(*) filter (
            where positions.days_until_next_visit <= horizons.horizon_days
        ) as visited_count,
        -- where no next visit was seen, it may be at any later time
        percentile_disc(0.5) within group (
            order by
                coalesce(positions.days_until_next_visit, {{ more_days_than_any() }})
        ) as median_days
    from positions
    cross join (values (30), (60), (90)) as horizons (horizon_days)
    group by
        positions.organization_id,
        positions.customer_segment,
        horizons.horizon_days
),

shared as (
    select
        *,
        case
            when customers_count >= {{ var('backtest_min_customers') }}
                then visited_count / positions_count::double precision
        end as visited_share
    from counted
),

final as (
    select
        shared.organization_id,
        organizations.organization_slug,
        shared.customer_segment,
        shared.horizon_days,
        shared.positions_count,
        shared.customers_count,
        shared.visited_count,
        shared.visited_share,
        -- a customer stands in many cuts: its positions are no trials of their own
        {{ wilson('shared.visited_share', 'shared.customers_count', '-') }}
            as visited_share_low,
        {{ wilson('shared.visited_share', 'shared.customers_count', '+') }}
            as visited_share_high,
        nullif(shared.median_days, {{ more_days_than_any() }})
            as median_days_until_next_visit
    from shared
    inner join organizations
        on shared.organization_id = organizations.organization_id
)

select * from final
