-- The terms of one account's churn risk, in points.
select
    terms.term,
    -- rounded so that the points shown add up to the total shown
    round(sum(terms.points) over so_far, 1)
    - round(sum(terms.points) over so_far - terms.points, 1) as points,
    round(churn_risk.total_points, 1) as total_points,
    churn_risk.churn_risk_score,
    churn_risk.reported_churn_risk_score
from analytics.account_profiles as profiles
inner join analytics.account_churn_risk as churn_risk
    on
        profiles.organization_id = churn_risk.organization_id
        and profiles.account_id = churn_risk.account_id
        and profiles.score_date = churn_risk.score_date
cross join
    lateral (
        values
        ('low health', churn_risk.health_points),
        ('falling health', churn_risk.decline_points),
        ('no engagement', churn_risk.gap_points),
        ('escalated tickets', churn_risk.escalation_points),
        ('renewal is near', churn_risk.renewal_points),
        ('overdue invoices', churn_risk.overdue_points),
        ('a competitor was named', churn_risk.competitor_points)
    ) as terms (term, points)
where
    profiles.organization_id = %(organization)s
    and profiles.account_id = %(account)s
window so_far as (order by terms.points desc nulls last, terms.term asc)
order by terms.points desc nulls last, terms.term asc
