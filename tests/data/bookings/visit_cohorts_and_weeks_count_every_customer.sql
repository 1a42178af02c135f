{{ config(tags=['sanity', 'nightly'], meta={'sanity_check': 8}) }}

-- States: cohorts add up to the customers with a visit, and the weeks' changes add up
-- to the customers that are not gone at the end of the last week.
-- Matters: after the publication; if it fails, nothing is written back.
-- To resolve: visit_cohorts_monthly or customer_visit_weeks loses a customer, or counts
-- one twice.
with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

customers as (
    select
        visit_days.organization_id,
        visit_days.square_customer_id,
        date_trunc('week', organizations.today)::date - 1 as sunday,
        max(visit_days.visit_on) filter (
            where visit_days.visit_on < date_trunc('week', organizations.today)::date
        ) as last_on
    from visit_days
    inner join {{ ref('booking_organizations') }} as organizations
        on visit_days.organization_id = organizations.organization_id
    group by
        visit_days.square_customer_id, visit_days.organization_id, organizations.today
),

counted as (
    select
        organization_id,
        sunday,
        count(*) as customers_count,
        count(*) filter (where last_on + {{ var('gone_after_days') }} >= sunday)
            as active_customers
    from customers
    group by organization_id, sunday
),

cohorts as (
    select
        organization_id,
        sum(cohort_customers) as cohort_customers
    from {{ ref('visit_cohorts_monthly') }}
    where months_since = 0
    group by organization_id
)

select
    counted.*,
    cohorts.cohort_customers,
    weeks.active_customers as active_customers_of_the_week
from counted
left join cohorts
    on counted.organization_id = cohorts.organization_id
left join {{ ref('visit_customers_weekly') }} as weeks
    on
        counted.organization_id = weeks.organization_id
        and counted.sunday = weeks.week_begins_on + 6
where
    cohorts.cohort_customers is distinct from counted.customers_count
    or coalesce(weeks.active_customers, 0) != counted.active_customers
