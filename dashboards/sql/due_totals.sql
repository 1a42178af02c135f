-- How many customers the list holds by bucket, and what those in the currency of most
-- of them order in 30 days: amounts of several currencies make no sum.
with by_currency as (
    select
        due_bucket,
        currency,
        count(*) as customers_count,
        count(*) filter (where urgency = 'CRITICAL') as critical_count,
        sum(revenue_at_risk) as at_risk_amount
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
    group by due_bucket, currency
),

ranked as (
    select
        *,
        row_number() over (
            partition by due_bucket
            order by
                -- where none is known, all are taken to be in one
                currency is null asc,
                customers_count desc,
                currency asc
        ) as currency_rank
    from by_currency
)

select
    due_bucket,
    sum(customers_count)::bigint as customers_count,
    sum(critical_count)::bigint as critical_count,
    max(currency) filter (where currency_rank = 1) as currency,
    sum(at_risk_amount) filter (where currency_rank = 1) as at_risk_amount,
    coalesce(sum(customers_count) filter (where currency_rank > 1), 0)::bigint
        as left_out_count
from ranked
group by due_bucket
