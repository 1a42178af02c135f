{{ config(materialized='view_in_place') }}

with open_days as (
    select * from {{ ref('customer_order_days') }}
),

closed_days as (
    select * from {{ ref('closed_customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

order_days as (
    select
        tenant_id,
        customer_id,
        first_delivered_on,
        delivered_on
    from open_days

    union all

    select
        closed_days.tenant_id,
        closed_days.customer_id,
        closed_days.first_delivered_on,
        closed_days.delivered_on
    from closed_days
    inner join tenants
        on
            closed_days.tenant_id = tenants.tenant_id
            and closed_days.delivered_at <= tenants.as_of
),

active as not materialized (
    select
        tenant_id,
        date_trunc('month', first_delivered_on)::date as cohort_month,
        date_trunc('month', delivered_on)::date as active_month,
        count(distinct customer_id) as active_customers
    from order_days
    group by tenant_id, cohort_month, active_month
),

-- in the month of its first order every customer is active
cohorts as (
    select
        active.tenant_id,
        tenants.tenant_slug,
        active.cohort_month,
        active.active_customers as cohort_customers,
        date_trunc('month', tenants.today)::date as this_month,
        min(active.cohort_month) over (partition by active.tenant_id) as oldest_month
    from active
    inner join tenants
        on active.tenant_id = tenants.tenant_id
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
            cells.tenant_id = active.tenant_id
            and cells.cohort_month = active.cohort_month
            and cells.active_month = active.active_month
),

final as (
    select
        tenant_id,
        tenant_slug,
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
