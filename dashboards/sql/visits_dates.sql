-- How far the expected date of the next visit was off; first visits have none.
select
    cadence_confidence as source,
    visit_days_count as days_count,
    followed_count,
    mean_absolute_error_days,
    median_error_days,
    within_7_days_share
from analytics.next_visit_date_errors
where
    organization_id = %(organization)s
    and cadence_confidence != 'NONE'
order by array_position(array['HIGH', 'MEDIUM', 'LOW'], cadence_confidence)
