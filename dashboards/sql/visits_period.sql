-- The first days of months on which an organization's segments were tested.
select
    cuts_count,
    first_cut_on,
    last_cut_on
from analytics.visit_backtest_periods
where organization_id = %(organization)s
