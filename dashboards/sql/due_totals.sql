-- How many customers the list has by bucket, and what those with the most frequent
-- currency order in 30 days, because amounts in several currencies have no sum. Also
-- how many customers are due but not in the list.
with listed as (
    select
        due_bucket,
        currency,
        urgency,
        revenue_at_risk,
        is_held_out,
        not is_held_out and (tenant_id, customer_id) in (
            select
                states.tenant_id,
                states.customer_id
            from analytics.customer_contact_states as states
            where
                states.snoozed_until is not null
                and (%(tenant)s is null or states.tenant_id = %(tenant)s)
        ) as is_snoozed
    from analytics.due_customers
    where
        (%(tenant)s is null or tenant_id = %(tenant)s)
        and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
        and (not %(is_unowned)s or sales_rep_id is null)
        and (
            %(search)s is null
            or strpos(lower(customer_name), lower(%(search)s)) > 0
            or customer_id::text = %(search)s
        )
),

due as (
    select
        *,
        not is_held_out and (%(is_snoozed_shown)s or not is_snoozed) as is_shown
    from listed
),

by_currency as (
    select
        due_bucket,
        currency,
        count(*) filter (where is_shown) as customers_count,
        count(*) filter (where is_shown and urgency = 'CRITICAL') as critical_count,
        sum(revenue_at_risk) filter (where is_shown) as at_risk_amount,
        count(*) filter (where is_snoozed) as snoozed_count,
        count(*) filter (where is_held_out) as held_out_count
    from due
    group by due_bucket, currency
),

ranked as (
    select
        *,
        row_number() over (
            partition by due_bucket
            order by
                -- unless no currency is known; then all are taken to have the same one
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
        as left_out_count,
    sum(snoozed_count)::bigint as snoozed_count,
    sum(held_out_count)::bigint as held_out_count
from ranked
group by due_bucket
