{{ config(materialized='ephemeral') }}

-- Each rule with its inputs, its limit, whether it fired, and how far it is from
-- firing: a date for the date rules, percentage points for the revenue rule.
with figures as (
    select * from {{ ref('int_customers__risk_figures') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

pace as (
    select
        figures.*,
        jsonb_build_object(
            'last_order_date', figures.last_order_date,
            'cadence_days', figures.cadence_days,
            'cadence_source', figures.cadence_source,
            'next_expected_order_date', figures.next_expected_order_date
        ) as pace_inputs
    from figures
),

final as (
    select
        pace.tenant_id,
        pace.customer_id,
        jsonb_build_array(
            jsonb_build_object(
                'rule', 'DORMANT',
                'fired', tenants.today >= pace.dormant_on,
                'inputs', pace.pace_inputs,
                'threshold', jsonb_build_object('dormant_days', tenants.dormant_days),
                'fires_on', pace.dormant_on
            ),
            jsonb_build_object(
                'rule', 'AT_RISK_CADENCE',
                'fired', tenants.today >= pace.late_on,
                'inputs', pace.pace_inputs,
                'threshold', jsonb_build_object('grace_days', tenants.grace_days),
                'fires_on', pace.late_on
            ),
            jsonb_build_object(
                'rule', 'AT_RISK_REVENUE',
                'fired', pace.is_revenue_declined,
                'inputs', jsonb_build_object(
                    'revenue_basis', pace.revenue_basis,
                    'recent_orders_count', pace.recent_orders_count,
                    'recent_average_amount', round(pace.recent_average_amount, 2),
                    'baseline_orders_count', pace.baseline_orders_count,
                    'baseline_average_amount', round(pace.baseline_average_amount, 2),
                    'currency', pace.currency
                ),
                'threshold', jsonb_build_object(
                    'revenue_decline_pct', tenants.revenue_decline_pct
                ),
                'fires_after_pct',
                tenants.revenue_decline_pct + trunc(pace.revenue_change_pct, 2)
            )
        ) as reasons
    from pace
    inner join tenants
        on pace.tenant_id = tenants.tenant_id
)

select * from final
