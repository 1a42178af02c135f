{{ config(tags=['sanity'], meta={'sanity_check': 15}) }}

-- States: every customer's risk status and account type equal today's step of its
-- history, and every history has a step for today.
-- Matters: before anything is published; the two are computed separately and must
-- agree.
-- To resolve: a rule was changed in one place only; see int_customers__risk_status and
-- int_customers__risk_history, or the two models on account types.
with tenants as (
    select * from {{ ref('int_tenants') }}
),

risk_status as (
    select * from {{ ref('int_customers__risk_status') }}
),

risk_history as (
    select * from {{ ref('int_customers__risk_history') }}
),

account_types as (
    select * from {{ ref('int_customers__account_type') }}
),

account_history as (
    select * from {{ ref('int_customers__account_history') }}
),

risk_steps as (
    select
        risk_history.tenant_id,
        risk_history.customer_id,
        risk_history.status,
        risk_history.valid_to as next_on
    from risk_history
    inner join tenants
        on risk_history.tenant_id = tenants.tenant_id
    where
        risk_history.valid_from <= tenants.today
        and (risk_history.valid_to > tenants.today or risk_history.valid_to is null)
),

account_steps as (
    select
        account_history.tenant_id,
        account_history.customer_id,
        account_history.status,
        account_history.valid_to as next_on
    from account_history
    inner join tenants
        on account_history.tenant_id = tenants.tenant_id
    where
        account_history.valid_from <= tenants.today
        and (
            account_history.valid_to > tenants.today
            or account_history.valid_to is null
        )
),

compared as (
    select
        'risk_status' as status_kind,
        coalesce(risk_status.tenant_id, risk_steps.tenant_id) as tenant_id,
        coalesce(risk_status.customer_id, risk_steps.customer_id) as customer_id,
        risk_status.risk_status as current_status,
        risk_steps.status as step_status,
        risk_status.next_status_on as current_next_on,
        risk_steps.next_on as step_next_on
    from risk_status
    full join risk_steps
        on
            risk_status.tenant_id = risk_steps.tenant_id
            and risk_status.customer_id = risk_steps.customer_id

    union all

    select
        'account_type' as status_kind,
        coalesce(account_types.tenant_id, account_steps.tenant_id) as tenant_id,
        coalesce(account_types.customer_id, account_steps.customer_id) as customer_id,
        account_types.account_type as current_status,
        account_steps.status as step_status,
        account_types.next_account_type_on as current_next_on,
        account_steps.next_on as step_next_on
    from account_types
    full join account_steps
        on
            account_types.tenant_id = account_steps.tenant_id
            and account_types.customer_id = account_steps.customer_id
)

select *
from compared
where
    current_status is distinct from step_status
    or current_next_on is distinct from step_next_on
