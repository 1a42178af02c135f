with pending as (
    select * from {{ ref('pending_customer_updates') }}
),

changes as (
    select
        tenant_id,
        tenant_slug,
        'account_type' as status_kind,
        current_account_type as from_status,
        expected_account_type as to_status,
        account_type_transition != 'UNEXPECTED' as is_expected_transition
    from pending
    where current_account_type is distinct from expected_account_type

    union all

    select
        tenant_id,
        tenant_slug,
        'risk_status' as status_kind,
        current_risk_status as from_status,
        expected_risk_status as to_status,
        true as is_expected_transition
    from pending
    where current_risk_status is distinct from expected_risk_status
),

final as (
    select
        tenant_id,
        tenant_slug,
        status_kind,
        from_status,
        to_status,
        is_expected_transition,
        count(*) as customers_count
    from changes
    group by
        tenant_id, tenant_slug, status_kind, from_status, to_status,
        is_expected_transition
)

select * from final
