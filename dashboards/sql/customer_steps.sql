-- One customer's statuses of the last 18 months and of the next 90 days.
with steps as (
    select
        'risk_status' as status_kind,
        tenant_id,
        status,
        valid_from,
        valid_to
    from analytics.customer_risk_status_history
    where tenant_id = %(tenant)s and customer_id = %(customer)s

    union all

    select
        'account_type' as status_kind,
        tenant_id,
        status,
        valid_from,
        valid_to
    from analytics.customer_account_type_history
    where tenant_id = %(tenant)s and customer_id = %(customer)s
)

select
    steps.status_kind,
    steps.status,
    steps.valid_from,
    steps.valid_to,
    steps.valid_to is null as is_last,
    -- what the chart shows of it
    greatest(steps.valid_from, (tenants.today - interval '18 months')::date)
        as begins_on,
    least(coalesce(steps.valid_to, tenants.today + 90), tenants.today + 90) as ends_on,
    steps.valid_from > tenants.today as is_forecast
from steps
inner join analytics.tenants
    on steps.tenant_id = tenants.tenant_id
where
    steps.valid_from < tenants.today + 90
    and coalesce(steps.valid_to > tenants.today - interval '18 months', true)
order by steps.status_kind, steps.valid_from
