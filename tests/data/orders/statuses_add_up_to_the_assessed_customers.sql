{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 16}) }}

-- States: every summary of a tenant counts the same customers: those with a risk
-- status, those that are not closed, and those that are due.
-- Matters: after the publication; if it fails, nothing is written back.
-- To resolve: a summary loses customers in a join, or counts some twice.
with risk_status as (
    select
        tenant_id,
        count(*) as assessed
    from {{ ref('customer_risk_status') }}
    group by tenant_id
),

account_types as (
    select
        tenant_id,
        count(*) as customers
    from {{ ref('customer_account_types') }}
    group by tenant_id
),

health as (
    select
        tenant_id,
        sum(customers_count) as assessed
    from {{ ref('customer_health_summary') }}
    group by tenant_id
),

types as (
    select
        tenant_id,
        customers_count as customers,
        active_count + target_count + prospect_count as of_any_type,
        active_pct + target_pct + prospect_pct as percentages
    from {{ ref('account_type_summary') }}
),

reps as (
    select
        tenant_id,
        sum(customers_count) as customers,
        sum(assessed_count) as assessed,
        sum(due_soon_count + due_today_count + overdue_count) as due,
        sum(critical_count) as critical
    from {{ ref('rep_metrics') }}
    group by tenant_id
),

due as (
    select
        tenant_id,
        count(*) filter (where due_bucket != 'DORMANT') as due,
        count(*) filter (where urgency = 'CRITICAL') as critical
    from {{ ref('due_customers') }}
    group by tenant_id
),

compared as (
    select
        types.tenant_id,
        coalesce(account_types.customers, 0) as customers,
        types.customers as customers_in_types,
        types.of_any_type as customers_of_any_type,
        types.percentages,
        coalesce(reps.customers, 0) as customers_of_reps,
        coalesce(risk_status.assessed, 0) as assessed,
        coalesce(health.assessed, 0) as assessed_in_health,
        coalesce(reps.assessed, 0) as assessed_of_reps,
        coalesce(due.due, 0) as due,
        coalesce(reps.due, 0) as due_of_reps,
        coalesce(due.critical, 0) as critical,
        coalesce(reps.critical, 0) as critical_of_reps
    from types
    left join account_types
        on types.tenant_id = account_types.tenant_id
    left join risk_status
        on types.tenant_id = risk_status.tenant_id
    left join health
        on types.tenant_id = health.tenant_id
    left join reps
        on types.tenant_id = reps.tenant_id
    left join due
        on types.tenant_id = due.tenant_id
)

select *
from compared
where
    customers != customers_in_types
    or customers != customers_of_any_type
    or customers != customers_of_reps
    or assessed != assessed_in_health
    or assessed != assessed_of_reps
    or due != due_of_reps
    or critical != critical_of_reps
    -- each of the three is rounded to a tenth
    or (customers > 0 and abs(percentages - 100) > 0.15)
