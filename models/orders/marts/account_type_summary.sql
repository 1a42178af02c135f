{{ config(materialized='view_in_place') }}

with tenants as (
    select * from {{ ref('tenants') }}
),

account_types as (
    select * from {{ ref('customer_account_types') }}
),

counted as (
    select
        tenants.tenant_id,
        tenants.tenant_slug,
        count(account_types.customer_id) as customers_count,
        count(*) filter (where account_types.account_type = 'ACTIVE') as active_count,
        count(*) filter (where account_types.account_type = 'TARGET') as target_count,
        count(*) filter (where account_types.account_type = 'PROSPECT')
            as prospect_count
    from tenants
    left join account_types
        on tenants.tenant_id = account_types.tenant_id
    group by tenants.tenant_id, tenants.tenant_slug
),

final as (
    select
        tenant_id,
        tenant_slug,
        customers_count,
        active_count,
        target_count,
        prospect_count,
        {{ percentage('active_count', 'customers_count') }} as active_pct,
        {{ percentage('target_count', 'customers_count') }} as target_pct,
        {{ percentage('prospect_count', 'customers_count') }} as prospect_pct
    from counted
)

select * from final
