with tenants as (
    select * from {{ ref('stg_orders__tenants') }}
),

thresholds as not materialized (
    select * from {{ ref('int_risk_thresholds') }}
),

assessed as (
    select
        tenant_id,
        tenant_slug,
        tenant_name,
        time_zone,
        {{ as_of() }} as as_of,
        {{ local_date(as_of(), 'time_zone') }} as today
    from tenants
    where
        is_active
        and is_valid
),

final as (
    select
        assessed.tenant_id,
        assessed.tenant_slug,
        assessed.tenant_name,
        assessed.time_zone,
        assessed.as_of,
        assessed.today,
        coalesce(own.tenant_slug, standard.tenant_slug) as threshold_row,
        coalesce(own.dormant_days, standard.dormant_days) as dormant_days,
        coalesce(own.grace_days, standard.grace_days) as grace_days,
        coalesce(own.revenue_decline_pct, standard.revenue_decline_pct)
            as revenue_decline_pct,
        coalesce(own.cadence_orders, standard.cadence_orders) as cadence_orders,
        coalesce(own.recent_orders, standard.recent_orders) as recent_orders,
        coalesce(own.baseline_orders, standard.baseline_orders) as baseline_orders,
        coalesce(own.min_baseline_orders, standard.min_baseline_orders)
            as min_baseline_orders,
        coalesce(own.fallback_cadence_days, standard.fallback_cadence_days)
            as fallback_cadence_days,
        coalesce(own.active_days, standard.active_days) as active_days,
        coalesce(own.target_days, standard.target_days) as target_days
    from assessed
    inner join thresholds as standard
        on standard.tenant_slug = 'default'
    left join thresholds as own
        on assessed.tenant_slug = own.tenant_slug
)

select * from final
