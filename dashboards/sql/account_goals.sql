-- The goals of one account, those at risk first.
select
    goals.title,
    goals.goal_status,
    goals.reported_status,
    goals.current_value,
    goals.target_value,
    goals.unit,
    goals.progress_rate,
    goals.elapsed_rate,
    goals.target_date,
    goals.forecast_date
from analytics.goal_progress as goals
where
    goals.organization_id = %(organization)s
    and goals.account_id = %(account)s
order by
    case goals.goal_status
        when 'at_risk' then 1
        when 'on_track' then 2
        when 'missed' then 3
        else 4
    end asc,
    goals.target_date asc,
    goals.goal_id asc
