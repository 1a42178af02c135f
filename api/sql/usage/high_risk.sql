-- The organizations that are at high risk on their latest day, lowest score first.
with scores as (
    select *
    from analytics.tenant_high_risk
)

select
    *,
    (select count(*) from scores) as total
from scores
order by overall_score asc, organization_id asc
limit %(limit)s offset %(offset)s
