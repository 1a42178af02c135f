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
        -- tenths; certainty belongs to the last one
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

counted as (
    select
        organization_id,
        horizon_days,
        band,
        count(*) as positions_count,
        count(distinct square_customer_id) as customers_count,
        avg(p_visit) as mean_p_visit,
        count(*) filter (where has_visited) as visited_count,
        count(*) filter (where has_visited) / count(*)::double precision
            as visited_share
    from forecasts
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
