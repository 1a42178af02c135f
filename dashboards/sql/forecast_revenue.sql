-- What came of customers whose revenue had declined, and of those whose had not.
-- Amounts of several currencies make no sum: the change is that in the usual one.
select
    risk_status,
    positions_count,
    fell_share,
    currency,
    currency_revenue_change as revenue_change,
    positions_count - currency_positions_count as left_out_count
from analytics.revenue_rule_backtest
where tenant_id = %(tenant)s
order by risk_status
