{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

active as not materialized (
    select
        organization_id,
        date_trunc('month', first_visit_on)::date as cohort_month,
        date_trunc('month', visit_on)::date as active_month,
        count(distinct square_customer_id) as active_customers
    from visit_days
    group by organization_id, cohort_month, active_month
),

-- in the month of its first visit every customer is active
cohorts as (
    select
        active.organization_id,
        organizations.organization_slug,
        active.cohort_month,
        active.active_customers as cohort_customers,
        date_trunc('month', organizations.today)::date as this_month,
        min(active.cohort_month) over (partition by active.organization_id)
            as oldest_month
    from active
    inner join organizations
        on active.organization_id = organizations.organization_id
    where active.cohort_month = active.active_month
),

-- every cohort gets as many months as the oldest one
cells as (
    select
        cohorts.*,
        months.months_since,
        (cohorts.cohort_month + make_interval(months => months.months_since))::date
            as active_month
    from cohorts
    cross join
        lateral generate_series(
            0, {{ months_between('cohorts.oldest_month', 'cohorts.this_month') }}
        ) as months (months_since)
),

counted as (
    select
        cells.*,
        case
            when cells.active_month <= cells.this_month
                then coalesce(active.active_customers, 0)
        end as active_customers
    from cells
    left join active
        on
            cells.organization_id = active.organization_id
            and cells.cohort_month = active.cohort_month
            and cells.active_month = active.active_month
),

final as (
    select
        organization_id,
        organization_slug,
        cohort_month,
        months_since,
        cohort_customers,
        active_customers,
        round(active_customers::numeric / cohort_customers, 4)::numeric(5, 4)
            as retention_rate,
        active_month < this_month as is_complete
    from counted
)

select * from final
