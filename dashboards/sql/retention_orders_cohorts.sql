-- The cohorts of a tenant, and all of them together for the months that are over.
with cohorts as (
    select *
    from analytics.order_cohorts_monthly
    where tenant_id = %(tenant)s
)

select
    cohort_month,
    months_since,
    cohort_customers,
    active_customers,
    retention_rate,
    is_complete
from cohorts

union all

select
    null as cohort_month,
    months_since,
    sum(cohort_customers)::bigint as cohort_customers,
    sum(active_customers)::bigint as active_customers,
    round(sum(active_customers) / sum(cohort_customers), 4) as retention_rate,
    true as is_complete
from cohorts
where is_complete
group by months_since
order by cohort_month nulls first, months_since
