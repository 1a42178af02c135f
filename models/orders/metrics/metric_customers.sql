with account_types as (
    select * from {{ ref('customer_account_types') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

final as (
    select
        account_types.tenant_id,
        account_types.customer_id,
        account_types.sales_rep_id,
        tenants.today as metric_day,
        account_types.account_type,
        risk_status.risk_status,
        risk_status.currency,
        risk_status.revenue_at_risk
    from account_types
    inner join tenants
        on account_types.tenant_id = tenants.tenant_id
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
)

select * from final
