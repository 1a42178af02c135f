-- Usage metrics of one organization for the last days, latest first.
with days as not materialized (
    select days.*
    from analytics.tenant_usage_metrics_daily as days
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
order by metric_date desc
limit %(limit)s offset %(offset)s
