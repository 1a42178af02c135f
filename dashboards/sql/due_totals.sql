-- How many customers the list holds by bucket, and what they order in 30 days.
select
    due_bucket,
    count(*) as customers_count,
    count(*) filter (where urgency = 'CRITICAL') as critical_count,
    -- amounts of several currencies make no sum
    case when count(distinct currency) <= 1 then sum(revenue_at_risk) end
        as at_risk_amount,
    min(currency) as currency
from analytics.due_to_order
where
    (%(tenant)s is null or tenant_id = %(tenant)s)
    and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
    and (not %(is_unowned)s or sales_rep_id is null)
    and (
        %(search)s is null
        or strpos(lower(customer_name), lower(%(search)s)) > 0
        or customer_id::text = %(search)s
    )
group by due_bucket
