-- The first days of months at which the statuses of a tenant were tried.
select
    count(distinct cut_on) as cuts_count,
    min(cut_on) as first_cut_on,
    max(cut_on) as last_cut_on
from analytics.risk_status_backtest
where tenant_id = %(tenant)s
