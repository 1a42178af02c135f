-- The latest score of each organization that uses a product.
with scores as (
    select *
    from analytics.tenant_latest_health
    where
        (%(risk_level)s is null or risk_level = %(risk_level)s)
        and (%(trend)s is null or trend = %(trend)s)
)

select
    *,
    (select count(*) from scores) as total
from scores
order by
    -- one of these is a column, the others are NULL
    case when %(sort)s = 'overall_score' then overall_score end asc,
    case when %(sort)s = 'score_change' then score_change end asc nulls last,
    organization_slug asc,
    organization_id asc
limit %(limit)s offset %(offset)s
