-- Status changes in the last seven days.
with tenants as (
    select
        tenant_id,
        today
    from analytics.tenants
    where %(tenant)s is null or tenant_id = %(tenant)s
),

histories as (
    select
        'risk_status' as status_kind,
        tenant_id,
        valid_from,
        previous_status,
        status,
        true as is_expected_transition
    from analytics.customer_risk_status_history

    union all

    select
        'account_type' as status_kind,
        tenant_id,
        valid_from,
        previous_status,
        status,
        is_expected_transition
    from analytics.customer_account_type_history
)

select
    steps.status_kind,
    steps.previous_status as from_status,
    steps.status as to_status,
    steps.is_expected_transition,
    count(*) as customers_count
from tenants
cross join
    lateral (
        select histories.*
        from histories
        where
            tenants.tenant_id = histories.tenant_id
            and tenants.today - 7 < histories.valid_from
            and tenants.today >= histories.valid_from
        -- an optimizer fence, so that each tenant's week is read by index
        offset 0
    ) as steps
group by
    steps.status_kind, steps.previous_status, steps.status, steps.is_expected_transition
order by
    steps.status_kind asc, customers_count desc, from_status asc, to_status asc
