-- What came of customers whose revenue had declined, and of those whose had not.
select
    risk_status,
    positions_count,
    fell_share,
    -- amounts of several currencies make no sum
    case
        when (
            select count(distinct customers.currency)
            from analytics.customer_risk_status as customers
            where customers.tenant_id = %(tenant)s
        ) <= 1
            then revenue_change
    end as revenue_change
from analytics.revenue_rule_backtest
where tenant_id = %(tenant)s
order by risk_status
