{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('customer_segment_positions') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

forecasts as (
    select
        positions.organization_id,
        positions.square_customer_id,
        horizons.horizon_days,
        horizons.p_visit,
        -- tenths; a probability of 1 belongs to the last one
        least(floor(horizons.p_visit * 10), 9)::integer as band,
        coalesce(positions.days_until_next_visit <= horizons.horizon_days, false)
            as has_visited
    from positions
    cross join
        lateral (
            values
            (30, positions.p_visit_30d),
            (60, positions.p_visit_60d),
            (90, positions.p_visit_90d)
        ) as horizons (horizon_days, p_visit)
    where horizons.p_visit is not null
),

-- group by customer first, because count(distinct) would sort all rows
by_customer as (
    select
        organization_id,
        square_customer_id,
        horizon_days,
        band,
        count(*) as positions_count,
        sum(p_visit) as p_visit,
        count(*) filter (where has_visited) as visited_count
    from forecasts
    group by organization_id, square_customer_id, horizon_days, band
),

counted as (
    select
        organization_id,
        horizon_days,
        band,
        sum(positions_count)::bigint as positions_count,
        count(*) as customers_count,
        sum(p_visit) / sum(positions_count)::double precision as mean_p_visit,
        sum(visited_count)::bigint as visited_count,
        sum(visited_count) / sum(positions_count)::double precision as visited_share
    from by_customer
    group by organization_id, horizon_days, band
),

final as (
    select
        counted.organization_id,
        organizations.organization_slug,
        counted.horizon_days,
        counted.band,
        counted.positions_count,
        counted.customers_count,
        counted.mean_p_visit,
        counted.visited_count,
        counted.visited_share,
        {{ wilson('counted.visited_share', 'counted.customers_count', '-') }}
            as visited_share_low,
        {{ wilson('counted.visited_share', 'counted.customers_count', '+') }}
            as visited_share_high
    from counted
    inner join organizations
        on counted.organization_id = organizations.organization_id
)

select * from final
