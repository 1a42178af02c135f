-- The factors behind one organization's scores for the last days, latest first.
with days as not materialized (
    select days.*
    from analytics.tenant_health_factors as days
    inner join analytics.platform_organizations as organizations
        on days.organization_id = organizations.organization_id
    where
        days.organization_id = %(organization_id)s
        and days.metric_date > organizations.today - %(days)s
        and days.metric_date <= organizations.today
)

select
    *,
    (select count(*) from days) as total
from days
order by metric_date desc, component asc
limit %(limit)s offset %(offset)s
