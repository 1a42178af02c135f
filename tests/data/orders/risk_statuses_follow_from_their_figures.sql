{{ config(tags=['sanity'], meta={'sanity_check': 13}) }}

-- States: every customer's risk status follows from the figures beside it.
-- Matters: before anything is published; people act on the status and read the figures.
-- To resolve: the rule was changed in one place only; see int_customers__risk_status.
with statuses as (
    select * from {{ ref('int_customers__risk_status') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

figures as (
    select
        statuses.tenant_id,
        statuses.customer_id,
        statuses.risk_status,
        statuses.revenue_basis,
        statuses.revenue_change_pct,
        tenants.today - (statuses.last_order_date + statuses.cadence_days)
            as days_past_expected,
        tenants.dormant_days,
        tenants.grace_days,
        tenants.revenue_decline_pct
    from statuses
    inner join tenants
        on statuses.tenant_id = tenants.tenant_id
)

select *
from figures
where
    risk_status is distinct from case
        when days_past_expected >= dormant_days then 'DORMANT'
        when days_past_expected >= grace_days then 'AT_RISK_CADENCE'
        when
            revenue_basis = 'EVALUATED'
            and -revenue_change_pct >= revenue_decline_pct
            then 'AT_RISK_REVENUE'
        else 'HEALTHY'
    end
