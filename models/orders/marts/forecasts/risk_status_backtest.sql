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
        cut_on,
        risk_status,
        count(*) as customers_count,
        count(*) filter (where days_until_next_order <= 30) as ordered_30d_count,
        count(*) filter (where days_until_next_order <= 60) as ordered_60d_count,
        count(*) filter (where days_until_next_order <= 90) as ordered_90d_count
    from positions
    group by tenant_id, cut_on, risk_status
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.cut_on,
        counted.risk_status,
        counted.customers_count,
        counted.ordered_30d_count,
        counted.ordered_60d_count,
        counted.ordered_90d_count
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
)

select * from final
