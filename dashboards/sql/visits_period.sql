-- The first days of months at which the segments of an organization were tried.
select
    cuts_count,
    first_cut_on,
    last_cut_on
from analytics.visit_backtest_periods
where organization_id = %(organization)s
