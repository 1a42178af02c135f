-- Organizations by risk on their latest day, the lowest score first.
select
    organization_id,
    organization_slug,
    coalesce(organization_name, organization_slug) as organization_name,
    metric_date,
    overall_score,
    score_change,
    trend,
    risk_level,
    top_driver,
    top_drag,
    count(*) over () as rows_count
from analytics.tenant_latest_health
where
    (%(organization)s is null or organization_id = %(organization)s)
    and (%(risk_level)s is null or risk_level = %(risk_level)s)
order by overall_score asc, organization_id asc
limit %(limit)s offset %(offset)s
