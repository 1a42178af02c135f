-- The organizations whose latest day is at high risk, the lowest score first.
with scores as (
    select high_risk.*
    from analytics.tenant_high_risk as high_risk
)

select
    scores.*,
    (select count(*) from scores) as total
from scores
order by overall_score asc, organization_id asc
limit %(limit)s offset %(offset)s
