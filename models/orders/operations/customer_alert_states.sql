-- States of customers that can raise an alert; unknown while a tenant's feed is silent.
-- After an hourly refresh, raise_alerts asks only for the customers that it has
-- recomputed.
with
-- read twice by few columns: kept, it would be written to disk, and on Citus gathered
risk_status as not materialized (
    {{ only_asked(ref('customer_risk_status'), 'alerted_customers') }}
),

account_types as (
    {{ only_asked(ref('customer_account_types'), 'alerted_customers') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

feeds as (
    select * from {{ ref('tenant_feeds') }}
),

judged as (
    select
        tenant_id,
        customer_id,
        customer_name,
        sales_rep_id,
        'CUSTOMER_DORMANT' as kind,
        risk_status = 'DORMANT' as is_on,
        revenue_at_risk,
        currency,
        reason
    from risk_status

    union all

    -- no row for PROSPECT: it neither is a TARGET nor has recovered
    select
        account_types.tenant_id,
        account_types.customer_id,
        account_types.customer_name,
        account_types.sales_rep_id,
        'ACCOUNT_TARGET' as kind,
        account_types.account_type = 'TARGET' as is_on,
        risk_status.revenue_at_risk,
        risk_status.currency,
        account_types.reason
    from account_types
    left join risk_status
        on
            account_types.tenant_id = risk_status.tenant_id
            and account_types.customer_id = risk_status.customer_id
    where account_types.account_type in ('ACTIVE', 'TARGET')
),

final as (
    select
        judged.kind,
        'customer' as subject_kind,
        judged.tenant_id::text as tenant_id,
        tenants.tenant_slug,
        judged.customer_id::text as subject,
        case when not feeds.is_silent then judged.is_on end as is_on,
        coalesce(judged.customer_name, judged.customer_id::text)
        || ': ' || judged.reason as message,
        jsonb_build_object(
            'customer_id', judged.customer_id,
            'customer_name', judged.customer_name,
            'sales_rep_id', judged.sales_rep_id,
            'revenue_at_risk', judged.revenue_at_risk,
            'currency', judged.currency
        ) as details
    from judged
    inner join tenants
        on judged.tenant_id = tenants.tenant_id
    inner join feeds
        on judged.tenant_id = feeds.tenant_id
)

select * from final
