{{ config(materialized='view_in_place', post_hook="{{ explain_risk_status() }}") }}

with risk_history as (
    select * from {{ ref('customer_risk_status_history') }}
),

account_history as (
    select * from {{ ref('customer_account_type_history') }}
),

steps as (
    select
        tenant_id,
        customer_id,
        'risk_status' as status_kind,
        valid_from as changed_on,
        previous_status as from_status,
        status as to_status,
        true as is_expected_transition
    from risk_history

    union all

    select
        tenant_id,
        customer_id,
        'account_type' as status_kind,
        valid_from as changed_on,
        previous_status as from_status,
        status as to_status,
        is_expected_transition
    from account_history
),

final as (
    select
        tenant_id,
        customer_id,
        status_kind,
        changed_on,
        from_status,
        to_status,
        {{ change_cause('from_status', 'to_status') }} as change_cause,
        is_expected_transition
    from steps
)

select * from final
