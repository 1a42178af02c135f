-- What became of customers whose revenue had declined, and of those whose revenue had
-- not. Amounts in several currencies have no sum, so the change is in the most frequent
-- one.
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
