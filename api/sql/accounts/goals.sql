-- Goals of the accounts of an organization, or of one of them, the next due first.
with goals as not materialized (
    select *
    from analytics.goal_progress
    where
        organization_id = %(organization_id)s
        and (%(account)s is null or account_id = %(account)s)
        and (%(goal_status)s is null or goal_status = %(goal_status)s)
)

select
    *,
    (select count(*) from goals) as total
from goals
order by target_date asc nulls last, goal_id asc
limit %(limit)s offset %(offset)s
