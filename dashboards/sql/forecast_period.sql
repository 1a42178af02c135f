-- The first days of months at which the statuses of a tenant were tried.
select
    cuts_count,
    first_cut_on,
    last_cut_on
from analytics.backtest_periods
where tenant_id = %(tenant)s
