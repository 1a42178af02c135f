{{ config(materialized='view_in_place') }}

with risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

sales_reps as (
    select * from {{ ref('sales_reps') }}
),

counted as (
    select
        tenant_id,
        sales_rep_id,
        risk_status,
        count(*) as customers_count
    from risk_status
    group by tenant_id, sales_rep_id, risk_status
),

final as (
    select
        counted.tenant_id,
        tenants.tenant_slug,
        counted.sales_rep_id,
        sales_reps.sales_rep_name,
        counted.risk_status,
        counted.customers_count,
        round(
            counted.customers_count / sum(counted.customers_count) over (
                partition by counted.tenant_id, counted.sales_rep_id
            ), 4
        )::numeric(5, 4) as customers_rate
    from counted
    inner join tenants
        on counted.tenant_id = tenants.tenant_id
    left join sales_reps
        on
            counted.tenant_id = sales_reps.tenant_id
            and counted.sales_rep_id = sales_reps.sales_rep_id
)

select * from final
