with scope as (
    select * from {{ ref('int_customers__scope') }}
),

customers as (
    select * from {{ ref('stg_orders__customers') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

final as (
    select
        customers.tenant_id,
        customers.customer_id,
        customers.customer_name,
        customers.sales_rep_id,
        tenants.time_zone,
        {{ local_date('customers.created_at', 'tenants.time_zone') }} as created_on
    from scope
    inner join customers
        on
            scope.tenant_id = customers.tenant_id
            and scope.customer_id = customers.customer_id
    inner join tenants
        on customers.tenant_id = tenants.tenant_id
    where
        customers.is_valid
        and not customers.is_closed
)

select * from final
