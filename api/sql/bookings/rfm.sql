-- Recency, frequency and monetary scores of the customers of an organization.
with scores as (
    select *
    from analytics.customer_rfm
    where
        organization_id = %(organization_id)s
        and (%(rfm_group)s is null or rfm_group = %(rfm_group)s)
)

select
    *,
    (select count(*) from scores) as total
from scores
order by
    -- one of these is a column, the others are NULL
    case
        when %(sort)s = '-revenue_percentile_rate' then revenue_percentile_rate
    end desc nulls last,
    square_customer_id asc
limit %(limit)s offset %(offset)s
