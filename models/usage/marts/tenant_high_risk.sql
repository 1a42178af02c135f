{{ config(materialized='view_in_place') }}

with latest as (
    select * from {{ ref('tenant_latest_health') }}
),

-- first the latest day, then the filter, so that recovered organizations are left out
final as (
    select * from latest
    where risk_level = 'HIGH'
)

select * from final
