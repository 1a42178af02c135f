{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('customer_segment_positions') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

counted as (
    select
        organization_id,
        customer_segment,
        count(*) as positions_count,
        count(distinct square_customer_id) as customers_count,
        count(*) filter (where days_until_next_visit <= 30) as visited_30d_count,
        count(*) filter (where days_until_next_visit <= 60) as visited_60d_count,
        count(*) filter (where days_until_next_visit <= 90) as visited_90d_count,
        -- without a known next visit, it may come at any later time
        percentile_disc(0.5) within group (
            order by coalesce(days_until_next_visit, {{ more_days_than_any() }})
        ) as median_days
    from positions
    group by organization_id, customer_segment
),

shared as (
    select
        counted.*,
        horizon.days as horizon_days,
        horizon.visited_count,
        case
            when counted.customers_count >= {{ var('backtest_min_customers') }}
                then horizon.visited_count / counted.positions_count::double precision
        end as visited_share
    from counted
    cross join
        lateral (
            values
            (30, counted.visited_30d_count),
            (60, counted.visited_60d_count),
            (90, counted.visited_90d_count)
        ) as horizon (days, visited_count)
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
        -- a customer is in many cuts, so its positions are not independent trials
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
