-- What customers that are late or spend less usually order in 30 days, by currency, and
-- the difference from a week ago at today's figures. The row without a currency is for
-- customers with several currencies or none known.
with tenants as (
    select
        tenant_id,
        today
    from analytics.tenants
    where %(tenant)s is null or tenant_id = %(tenant)s
),

held_today as (
    select
        risk_status.currency,
        count(*) filter (
            where risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
        ) as customers_count,
        coalesce(sum(risk_status.revenue_at_risk) filter (
            where risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
        ), 0) as at_risk_amount
    from tenants
    inner join analytics.customer_risk_status as risk_status
        on tenants.tenant_id = risk_status.tenant_id
    group by risk_status.currency
),

-- the status a week ago of customers whose status has changed since
changed as (
    select
        tenants.tenant_id,
        steps.customer_id,
        steps.previous_status
    from tenants
    cross join
        -- `distinct` also keeps this apart, so that each tenant's week is read by index
        lateral (
            select distinct on (history.tenant_id, history.customer_id)
                history.customer_id,
                history.previous_status
            from analytics.customer_risk_status_history as history
            where
                tenants.tenant_id = history.tenant_id
                and tenants.today - 7 < history.valid_from
                and tenants.today >= history.valid_from
            order by history.tenant_id, history.customer_id, history.valid_from
        ) as steps
),

moved as (
    select
        risk_status.currency,
        sum(
            case
                when risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
                    then risk_status.revenue_at_risk
                else 0
            end
            - case
                when changed.previous_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE')
                    then risk_status.revenue_at_risk
                else 0
            end
        ) as change_in_a_week
    from changed
    inner join analytics.customer_risk_status as risk_status
        on
            changed.tenant_id = risk_status.tenant_id
            and changed.customer_id = risk_status.customer_id
    group by risk_status.currency
)

select
    held_today.currency,
    held_today.customers_count,
    held_today.at_risk_amount,
    coalesce(moved.change_in_a_week, 0) as change_in_a_week
from held_today
left join moved
    on held_today.currency is not distinct from moved.currency
where held_today.customers_count > 0 or moved.change_in_a_week != 0
order by
    held_today.currency is null asc,
    held_today.at_risk_amount desc,
    held_today.currency asc
