-- The latest day of each organization, the lowest score first.
select
    organization_id,
    organization_slug,
    coalesce(organization_name, organization_slug) as organization_name,
    metric_date,
    overall_score,
    overall_score_observed,
    data_coverage,
    score_change,
    trend,
    risk_level,
    top_driver,
    top_drag
from analytics.tenant_latest_health
where %(organization)s is null or organization_id = %(organization)s
order by overall_score asc, organization_id asc
limit 51
