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
        cut_on,
        customer_segment,
        count(*) as customers_count,
        count(*) filter (where days_until_next_visit <= 30) as visited_30d_count,
        count(*) filter (where days_until_next_visit <= 60) as visited_60d_count,
        count(*) filter (where days_until_next_visit <= 90) as visited_90d_count
    from positions
    group by organization_id, cut_on, customer_segment
),

final as (
    select
        counted.organization_id,
        organizations.organization_slug,
        counted.cut_on,
        counted.customer_segment,
        counted.customers_count,
        counted.visited_30d_count,
        counted.visited_60d_count,
        counted.visited_90d_count
    from counted
    inner join organizations
        on counted.organization_id = organizations.organization_id
)

select * from final
