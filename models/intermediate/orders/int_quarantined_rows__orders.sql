with tenants as (
    select * from {{ ref('stg_commerce__tenants') }}
),

sales_reps as (
    select * from {{ ref('stg_commerce__sales_reps') }}
),

customers as (
    select * from {{ ref('stg_commerce__customers') }}
),

orders as (
    select * from {{ ref('stg_commerce__orders') }}
),

judged as (
    select
        'tenants' as "table",
        tenant_id::text as key,
        tenant_id::text as tenant,
        quarantine_reason as reason
    from tenants
    where not is_valid

    union all

    select
        'sales_reps' as "table",
        sales_reps.sales_rep_id::text as key,
        sales_reps.tenant_id::text as tenant,
        coalesce(sales_reps.quarantine_reason, 'tenant_id_unknown') as reason
    from sales_reps
    left join tenants
        on
            sales_reps.tenant_id = tenants.tenant_id
            and tenants.is_valid
    where
        not sales_reps.is_valid
        or tenants.tenant_id is null

    union all

    select
        'customers' as "table",
        customers.customer_id::text as key,
        customers.tenant_id::text as tenant,
        coalesce(customers.quarantine_reason, 'tenant_id_unknown') as reason
    from customers
    left join tenants
        on
            customers.tenant_id = tenants.tenant_id
            and tenants.is_valid
    where
        not customers.is_valid
        or tenants.tenant_id is null

    union all

    select
        'orders' as "table",
        orders.order_id::text as key,
        orders.tenant_id::text as tenant,
        coalesce(orders.quarantine_reason, 'customer_id_not_of_tenant') as reason
    from orders
    left join customers
        on
            orders.tenant_id = customers.tenant_id
            and orders.customer_id = customers.customer_id
            and customers.is_valid
    where
        not orders.is_valid
        or customers.customer_id is null
),

final as (
    select
        'orders' as system,
        "table",
        coalesce(key, '') as key,
        coalesce(tenant, '') as tenant,
        reason,
        count(*) as rows_count,
        {{ as_of() }} as first_seen_at
    from judged
    -- found by the nightly refresh only, which reads all rows
    where '{{ var("refresh_scope") }}' = 'all'
    group by "table", key, tenant, reason
)

select * from final
