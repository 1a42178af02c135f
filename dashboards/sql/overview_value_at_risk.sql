-- What the customers that are late or spend less order in 30 days, by currency, and how
-- that differs from a week ago, valued at today's figures.
with tenants as (
    select
        tenant_id,
        today
    from analytics.tenants
    where %(tenant)s is null or tenant_id = %(tenant)s
),

-- the status of a week ago, of customers whose status has changed since
changed as (
    select distinct on (history.tenant_id, history.customer_id)
        history.tenant_id,
        history.customer_id,
        history.previous_status
    from tenants
    inner join analytics.customer_risk_status_history as history
        on
            tenants.tenant_id = history.tenant_id
            and tenants.today - 7 < history.valid_from
            and tenants.today >= history.valid_from
    order by history.tenant_id, history.customer_id, history.valid_from
),

customers as (
    select
        risk_status.currency,
        risk_status.revenue_at_risk,
        risk_status.risk_status in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE') as is_at_risk,
        case
            when changed.customer_id is null then risk_status.risk_status
            else changed.previous_status
        end in ('AT_RISK_CADENCE', 'AT_RISK_REVENUE') as was_at_risk
    from tenants
    inner join analytics.customer_risk_status as risk_status
        on tenants.tenant_id = risk_status.tenant_id
    left join changed
        on
            risk_status.tenant_id = changed.tenant_id
            and risk_status.customer_id = changed.customer_id
)

select
    currency,
    count(*) filter (where is_at_risk) as customers_count,
    coalesce(sum(revenue_at_risk) filter (where is_at_risk), 0) as at_risk_amount,
    coalesce(sum(revenue_at_risk) filter (where is_at_risk), 0)
    - coalesce(sum(revenue_at_risk) filter (where was_at_risk), 0) as change_in_a_week
from customers
where currency is not null
group by currency
order by at_risk_amount desc, currency asc
