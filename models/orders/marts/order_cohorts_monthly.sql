{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

active as (
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
        tenant_id,
        cohort_month,
        active_customers as cohort_customers
    from active
    where cohort_month = active_month
),

spans as (
    select
        tenants.tenant_id,
        date_trunc('month', tenants.today)::date as this_month,
        min(cohorts.cohort_month) as oldest_month
    from tenants
    inner join cohorts
        on tenants.tenant_id = cohorts.tenant_id
    group by tenants.tenant_id, tenants.today
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
        on cohorts.tenant_id = spans.tenant_id
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
        cells.tenant_id,
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
            cells.tenant_id = active.tenant_id
            and cells.cohort_month = active.cohort_month
            and cells.active_month = active.active_month
),

final as (
    select
        tenant_id,
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
