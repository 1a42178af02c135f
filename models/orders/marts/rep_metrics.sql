{{ config(materialized='view_in_place') }}

with account_types as (
    select * from {{ ref('customer_account_types') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

-- each rep's customers, plus one empty row per rep so that no rep is left out
portfolios as (
    select
        account_types.tenant_id,
        account_types.sales_rep_id,
        account_types.customer_id,
        account_types.account_type,
        risk_status.risk_status,
        risk_status.cadence_days,
        tenants.today - risk_status.next_expected_order_date as days_past_expected
    from account_types
    inner join tenants
        on account_types.tenant_id = tenants.tenant_id
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id

    union all

    select
        tenant_id,
        sales_rep_id,
        null as customer_id,
        null as account_type,
        null as risk_status,
        null as cadence_days,
        null as days_past_expected
    from sales_reps
),

-- as in due_customers, which would read the statuses once more
due as (
    select
        *,
        {{ due_bucket('days_past_expected', 'risk_status') }} as due_bucket
    from portfolios
),

counted as (
    select
        tenant_id,
        sales_rep_id,
        count(customer_id) as customers_count,
        count(*) filter (where account_type = 'ACTIVE') as active_count,
        count(*) filter (where account_type = 'TARGET') as target_count,
        count(*) filter (where account_type = 'PROSPECT') as prospect_count,
        count(risk_status) as assessed_count,
        count(*) filter (where risk_status = 'HEALTHY') as healthy_count,
        count(*) filter (where risk_status = 'AT_RISK_REVENUE')
            as at_risk_revenue_count,
        count(*) filter (where risk_status = 'AT_RISK_CADENCE')
            as at_risk_cadence_count,
        count(*) filter (where risk_status = 'DORMANT') as dormant_count,
        count(*) filter (where due_bucket = 'DUE_SOON') as due_soon_count,
        count(*) filter (where due_bucket = 'DUE_TODAY') as due_today_count,
        count(*) filter (where due_bucket = 'OVERDUE') as overdue_count,
        count(*) filter (
            where {{ due_urgency('due_bucket', 'days_past_expected') }} = 'CRITICAL'
        ) as critical_count,
        round(avg(cadence_days), 1)::numeric(7, 1) as average_cadence_days
    from due
    group by tenant_id, sales_rep_id
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.sales_rep_id,
        sales_reps.sales_rep_name,
        counted.customers_count,
        counted.active_count,
        counted.target_count,
        counted.prospect_count,
        counted.assessed_count,
        counted.healthy_count,
        counted.at_risk_revenue_count,
        counted.at_risk_cadence_count,
        counted.dormant_count,
        round(counted.healthy_count::numeric / nullif(counted.assessed_count, 0), 4)
        ::numeric(5, 4) as healthy_rate,
        round(counted.dormant_count::numeric / nullif(counted.assessed_count, 0), 4)
        ::numeric(5, 4) as dormant_rate,
        counted.due_soon_count,
        counted.due_today_count,
        counted.overdue_count,
        counted.critical_count,
        counted.average_cadence_days
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
    left join sales_reps
        on
            counted.tenant_id = sales_reps.tenant_id
            and counted.sales_rep_id = sales_reps.sales_rep_id
)

select * from final
