with sales_reps as (
    select * from {{ ref('stg_orders__sales_reps') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

final as (
    select
        sales_reps.tenant_id,
        sales_reps.sales_rep_id,
        sales_reps.sales_rep_name,
        sales_reps.sales_rep_email,
        sales_reps.is_active
    from sales_reps
    inner join tenants
        on sales_reps.tenant_id = tenants.tenant_id
    where sales_reps.is_valid
)

select * from final
