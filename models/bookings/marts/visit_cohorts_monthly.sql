{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

active as (
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
        organization_id,
        cohort_month,
        active_customers as cohort_customers
    from active
    where cohort_month = active_month
),

spans as (
    select
        organizations.organization_id,
        date_trunc('month', organizations.today)::date as this_month,
        min(cohorts.cohort_month) as oldest_month
    from organizations
    inner join cohorts
        on organizations.organization_id = cohorts.organization_id
    group by organizations.organization_id, organizations.today
),

cells as (
    select
        cohorts.*,
        spans.this_month,
        month.number::integer - 1 as months_since,
        (cohorts.cohort_month + make_interval(months => month.number::integer - 1))::date
            as active_month
    from cohorts
    inner join spans
        on cohorts.organization_id = spans.organization_id
    cross join
        lateral (
            select
                number
            from
                generate_series(
                    spans.oldest_month::timestamp, spans.this_month, '1 month'
                ) with ordinality as series (begins_at, number)
        ) as month
),

counted as (
    select
        cells.organization_id,
        cells.cohort_month,
        cells.months_since,
        cells.cohort_customers,
        case
            when cells.active_month <= cells.this_month
                then coalesce(active.active_customers, 0)
        end as active_customers,
        cells.active_month < cells.this_month as is_complete
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
        cohort_month,
        months_since,
        cohort_customers,
        active_customers,
        round(active_customers::numeric / cohort_customers, 4)::numeric(5, 4)
            as retention_rate,
        is_complete
    from counted
)

select * from final
