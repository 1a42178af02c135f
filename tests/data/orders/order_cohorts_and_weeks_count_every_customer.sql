{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 8}) }}

-- States: cohorts add up to the customers with a delivered order, and the weeks'
-- changes add up to the customers that are not gone at the end of the last week. Closed
-- customers are included.
-- Matters: after the publication; if it fails, nothing is written back.
-- To resolve: order_cohorts_monthly or customer_order_weeks loses a customer, or counts
-- one twice.
with order_days as (
    select
        tenant_id,
        customer_id,
        delivered_on
    from {{ ref('customer_order_days') }}

    union all

    select
        closed_days.tenant_id,
        closed_days.customer_id,
        closed_days.delivered_on
    from {{ ref('closed_customer_order_days') }} as closed_days
    inner join {{ ref('tenants') }} as tenants
        on
            closed_days.tenant_id = tenants.tenant_id
            and closed_days.delivered_at <= tenants.as_of
),

customers as (
    select
        order_days.tenant_id,
        order_days.customer_id,
        date_trunc('week', tenants.today)::date - 1 as sunday,
        max(order_days.delivered_on) filter (
            where order_days.delivered_on < date_trunc('week', tenants.today)::date
        ) as last_on
    from order_days
    inner join {{ ref('tenants') }} as tenants
        on order_days.tenant_id = tenants.tenant_id
    group by order_days.customer_id, order_days.tenant_id, tenants.today
),

counted as (
    select
        tenant_id,
        sunday,
        count(*) as customers_count,
        count(*) filter (where last_on + {{ var('gone_after_days') }} >= sunday)
            as active_customers
    from customers
    group by tenant_id, sunday
),

cohorts as (
    select
        tenant_id,
        sum(cohort_customers) as cohort_customers
    from {{ ref('order_cohorts_monthly') }}
    where months_since = 0
    group by tenant_id
)

select
    counted.*,
    cohorts.cohort_customers,
    weeks.active_customers as active_customers_of_the_week
from counted
left join cohorts
    on counted.tenant_id = cohorts.tenant_id
left join {{ ref('order_customers_weekly') }} as weeks
    on
        counted.tenant_id = weeks.tenant_id
        and counted.sunday = weeks.week_begins_on + 6
where
    cohorts.cohort_customers is distinct from counted.customers_count
    or coalesce(weeks.active_customers, 0) != counted.active_customers
