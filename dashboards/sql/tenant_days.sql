-- The score of one organization, day by day, for a year at most.
select
    scores.metric_date,
    scores.overall_score
from analytics.tenant_health_scores as scores
inner join analytics.platform_organizations as organizations
    on scores.organization_id = organizations.organization_id
where
    scores.organization_id = %(organization)s
    and scores.metric_date > organizations.today - 365
    and scores.metric_date <= organizations.today
order by scores.metric_date
