{{ config(materialized='view_in_place') }}

with changes as (
    select * from {{ ref('customer_status_changes') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

counted as (
    select
        tenant_id,
        changed_on,
        status_kind,
        from_status,
        to_status,
        change_cause,
        is_expected_transition,
        count(*) as customers_count
    from changes
    group by
        tenant_id, changed_on, status_kind, from_status, to_status, change_cause,
        is_expected_transition
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
        counted.change_cause
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
)

select * from final
