-- What reduces one organization's latest score from 100, the largest loss first.
select
    factors.component,
    factors.measured_ratio,
    factors.target,
    factors.component_score,
    factors.weight,
    -- rounded half away from zero, which Python does not do
    round(factors.points_lost, 1) as points_lost,
    factors.has_data,
    100 - sum(factors.points_lost) over (
        order by factors.points_lost desc, factors.component asc
    ) as points_left
from analytics.tenant_latest_health as latest
inner join analytics.tenant_health_factors as factors
    on
        latest.organization_id = factors.organization_id
        and latest.metric_date = factors.metric_date
where latest.organization_id = %(organization)s
order by factors.points_lost desc, factors.component asc
