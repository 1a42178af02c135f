-- Engagements with the accounts of an organization, or with one of them, the latest first.
with engagements as not materialized (
    select engagements.*
    from analytics.account_engagements as engagements
    where
        engagements.organization_id = %(organization_id)s
        and (%(account)s is null or engagements.account_id = %(account)s)
        and (
            %(engagement_type)s is null
            or engagements.engagement_type = %(engagement_type)s
        )
        and (%(outcome)s is null or engagements.outcome = %(outcome)s)
)

select
    engagements.*,
    (select count(*) from engagements) as total
from engagements
-- those that are planned have no date of completion
order by completed_at desc nulls first, engagement_id asc
limit %(limit)s offset %(offset)s
