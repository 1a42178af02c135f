{{ config(materialized='view_in_place') }}

with standard as (
    select * from {{ ref('risk_thresholds') }}
),

own as (
    select {{ columns_of_input('input_shared__risk_thresholds') }}
    from {{ ref('input_shared__risk_thresholds') }}
),

-- dbt guesses the types of a seed
final as (
    select
        coalesce(own.tenant_slug::text, standard.tenant_slug) as tenant_slug,
        coalesce(own.dormant_days::integer, standard.dormant_days) as dormant_days,
        coalesce(own.grace_days::integer, standard.grace_days) as grace_days,
        coalesce(own.revenue_decline_pct::numeric(5, 2), standard.revenue_decline_pct)
            as revenue_decline_pct,
        coalesce(own.cadence_orders::integer, standard.cadence_orders)
            as cadence_orders,
        coalesce(own.recent_orders::integer, standard.recent_orders) as recent_orders,
        coalesce(own.baseline_orders::integer, standard.baseline_orders)
            as baseline_orders,
        coalesce(own.min_baseline_orders::integer, standard.min_baseline_orders)
            as min_baseline_orders,
        coalesce(own.fallback_cadence_days::integer, standard.fallback_cadence_days)
            as fallback_cadence_days,
        coalesce(own.active_days::integer, standard.active_days) as active_days,
        coalesce(own.target_days::integer, standard.target_days) as target_days,
        coalesce(own.segment_new_days::integer, standard.segment_new_days)
            as segment_new_days,
        coalesce(own.segment_active_days::integer, standard.segment_active_days)
            as segment_active_days,
        coalesce(own.segment_at_risk_days::integer, standard.segment_at_risk_days)
            as segment_at_risk_days
    from standard
    full join own
        on standard.tenant_slug = own.tenant_slug::text
)

select * from final
