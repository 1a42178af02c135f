{{ config(materialized='view_in_place') }}

with risk_history as (
    select * from {{ ref('customer_risk_status_history') }}
),

account_history as (
    select * from {{ ref('customer_account_type_history') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

counted as (
    select
        tenant_id,
        valid_from as transition_date,
        'risk_status' as status_kind,
        previous_status as from_status,
        status as to_status,
        true as is_expected_transition,
        count(*) as customers_count
    from risk_history
    group by tenant_id, valid_from, previous_status, status

    union all

    select
        tenant_id,
        valid_from as transition_date,
        'account_type' as status_kind,
        previous_status as from_status,
        status as to_status,
        is_expected_transition,
        count(*) as customers_count
    from account_history
    group by tenant_id, valid_from, previous_status, status, is_expected_transition
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.transition_date,
        counted.status_kind,
        counted.from_status,
        counted.to_status,
        counted.is_expected_transition,
        counted.customers_count,
        counted.transition_date > tenants.today as is_forecast
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
)

select * from final
