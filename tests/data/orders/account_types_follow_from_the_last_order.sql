{{ config(tags=['sanity'], meta={'sanity_check': 14}) }}

-- States: every customer's account type follows from its last order.
-- Matters: before anything is published; people act on the type.
-- To resolve: the rule was changed in one place only; see int_customers__account_type.
with account_types as (
    select * from {{ ref('int_customers__account_type') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

silences as (
    select
        account_types.tenant_id,
        account_types.customer_id,
        account_types.account_type,
        tenants.today
        - {{ local_date('account_types.last_ordered_at', 'tenants.time_zone') }}
            as days_since_last_order,
        tenants.active_days,
        tenants.target_days
    from account_types
    inner join tenants
        on account_types.tenant_id = tenants.tenant_id
)

select *
from silences
where
    account_type is distinct from case
        when days_since_last_order <= active_days then 'ACTIVE'
        when days_since_last_order <= target_days then 'TARGET'
        else 'PROSPECT'
    end
