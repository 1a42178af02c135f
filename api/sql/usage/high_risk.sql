-- The organizations whose latest day is at high risk, the lowest score first.
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
