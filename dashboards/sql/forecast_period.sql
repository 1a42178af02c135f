-- The first days of months on which a tenant's statuses were tested.
select
    cuts_count,
    first_cut_on,
    last_cut_on
from analytics.backtest_periods
where tenant_id = %(tenant)s
