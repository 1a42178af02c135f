with standard as (
    select * from {{ ref('risk_thresholds') }}
),

own as (
    {{ thresholds_of_project() }}
),

final as (
    select
        coalesce(own.tenant_slug, standard.tenant_slug) as tenant_slug,
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
        coalesce(own.target_days, standard.target_days) as target_days,
        coalesce(own.segment_new_days, standard.segment_new_days) as segment_new_days,
        coalesce(own.segment_active_days, standard.segment_active_days)
            as segment_active_days,
        coalesce(own.segment_at_risk_days, standard.segment_at_risk_days)
            as segment_at_risk_days
    from standard
    full join own
        on standard.tenant_slug = own.tenant_slug
)

select * from final
