-- What became of customers whose status and forecast disagreed, and which to believe.
select
    disagreement,
    customers_count,
    ordered_share as share,
    ordered_share_low as share_low,
    ordered_share_high as share_high,
    believe,
    p_order_limit
from analytics.status_disagreement_backtest
where tenant_id = %(tenant)s
