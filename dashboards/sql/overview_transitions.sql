-- Changes of status within the last seven days.
with tenants as (
    select
        tenant_id,
        today
    from analytics.tenants
    where %(tenant)s is null or tenant_id = %(tenant)s
),

steps as (
    select
        'risk_status' as status_kind,
        history.previous_status,
        history.status,
        true as is_expected_transition
    from tenants
    cross join
        lateral (
            select
                history.previous_status,
                history.status
            from analytics.customer_risk_status_history as history
            where
                tenants.tenant_id = history.tenant_id
                and tenants.today - 7 < history.valid_from
                and tenants.today >= history.valid_from
            -- a fence: each tenant's week is looked up in the index
            offset 0
        ) as history

    union all

    select
        'account_type' as status_kind,
        history.previous_status,
        history.status,
        history.is_expected_transition
    from tenants
    cross join
        lateral (
            select
                history.previous_status,
                history.status,
                history.is_expected_transition
            from analytics.customer_account_type_history as history
            where
                tenants.tenant_id = history.tenant_id
                and tenants.today - 7 < history.valid_from
                and tenants.today >= history.valid_from
            offset 0
        ) as history
)

select
    status_kind,
    previous_status as from_status,
    status as to_status,
    is_expected_transition,
    count(*) as customers_count
from steps
group by status_kind, previous_status, status, is_expected_transition
order by status_kind asc, customers_count desc, from_status asc, to_status asc
