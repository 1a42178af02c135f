-- The score of one account, day by day, for a year at most.
select
    scores.score_date,
    scores.health_score,
    scores.reported_health_score
from analytics.account_health_scores as scores
inner join analytics.success_organizations as organizations
    on scores.organization_id = organizations.organization_id
where
    scores.organization_id = %(organization)s
    and scores.account_id = %(account)s
    and scores.score_date > organizations.today - 365
    and scores.score_date <= organizations.today
order by scores.score_date
