with tenants as (
    select * from {{ ref('tenants') }}
),

account_types as (
    select * from {{ ref('account_type_summary') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

guards as (
    select * from {{ ref('write_back_guards') }}
),

assessed as (
    select
        tenant_id,
        count(*) as assessed_count,
        count(*) filter (where risk_status = 'DORMANT') as dormant_count,
        count(*) filter (where risk_status = 'AT_RISK_CADENCE')
            as at_risk_cadence_count,
        count(*) filter (where risk_status = 'AT_RISK_REVENUE')
            as at_risk_revenue_count,
        count(*) filter (where risk_status = 'HEALTHY') as healthy_count
    from risk_status
    group by tenant_id
),

-- grouped, so that PostgreSQL compares no customers for a query without these counts
pending as (
    select
        tenant_id,
        sum(pending_dormant_count)::bigint as newly_dormant_count,
        sum(pending_reactivated_count)::bigint as reactivated_count,
        sum(pending_count)::bigint as pending_count
    from guards
    group by tenant_id
),

final as (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        account_types.customers_count as analysed_count,
        account_types.customers_count - coalesce(assessed.assessed_count, 0)
            as skipped_count,
        coalesce(assessed.dormant_count, 0) as dormant_count,
        coalesce(assessed.at_risk_cadence_count, 0) as at_risk_cadence_count,
        coalesce(assessed.at_risk_revenue_count, 0) as at_risk_revenue_count,
        coalesce(assessed.healthy_count, 0) as healthy_count,
        coalesce(pending.newly_dormant_count, 0) as newly_dormant_count,
        coalesce(pending.reactivated_count, 0) as reactivated_count,
        coalesce(pending.pending_count, 0) as pending_count,
        account_types.active_count,
        account_types.target_count,
        account_types.prospect_count,
        account_types.active_pct,
        account_types.target_pct,
        account_types.prospect_pct
    from tenants
    inner join account_types
        on tenants.tenant_id = account_types.tenant_id
    left join assessed
        on tenants.tenant_id = assessed.tenant_id
    left join pending
        on tenants.tenant_id = pending.tenant_id
)

select * from final
