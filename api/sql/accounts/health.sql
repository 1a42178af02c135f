-- Health of one account, for the last days, latest first.
with days as not materialized (
    select days.*
    from analytics.account_health_scores as days
    inner join analytics.success_organizations as organizations
        on days.organization_id = organizations.organization_id
    where
        days.organization_id = %(organization_id)s
        and days.account_id = %(account)s
        and days.score_date > organizations.today - %(days)s
        and days.score_date <= organizations.today
)

select
    *,
    (select count(*) from days) as total
from days
order by score_date desc
limit %(limit)s offset %(offset)s
