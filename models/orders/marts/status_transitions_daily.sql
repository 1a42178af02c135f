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

-- each history by itself, because an index has the columns that rows are counted by
counted as (
    select
        tenant_id,
        'risk_status' as status_kind,
        valid_from as changed_on,
        previous_status as from_status,
        status as to_status,
        true as is_expected_transition,
        count(*) as customers_count
    from risk_history
    group by tenant_id, valid_from, previous_status, status

    union all

    select
        tenant_id,
        'account_type' as status_kind,
        valid_from as changed_on,
        previous_status as from_status,
        status as to_status,
        bool_and(is_expected_transition) as is_expected_transition,
        count(*) as customers_count
    from account_history
    group by tenant_id, valid_from, previous_status, status
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.changed_on as transition_date,
        counted.status_kind,
        counted.from_status,
        counted.to_status,
        counted.is_expected_transition,
        counted.customers_count,
        counted.changed_on > tenants.today as is_forecast,
        {{ change_cause('counted.from_status', 'counted.to_status') }} as change_cause
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
)

select * from final
