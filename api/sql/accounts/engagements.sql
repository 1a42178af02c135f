-- Engagements with the accounts of an organization, or with one of them: planned and
-- completed ones in one order, the latest first.
with engagements as not materialized (
    select *
    from analytics.account_engagements
    where
        organization_id = %(organization_id)s
        and (%(account)s is null or account_id = %(account)s)
        and (
            %(engagement_type)s is null
            or engagement_type = %(engagement_type)s
        )
        and (%(outcome)s is null or outcome = %(outcome)s)
)

select
    *,
    (select count(*) from engagements) as total
from engagements
-- those that are planned have no date of completion
order by coalesce(completed_at, scheduled_at) desc nulls last, engagement_id asc
limit %(limit)s offset %(offset)s
