-- A refresh of some customers lists the rows of theirs that it leaves out, and those of
-- the tables that it reads completely.
with tenants as (
    select * from {{ ref('stg_orders__tenants') }}
),

sales_reps as (
    select * from {{ ref('stg_orders__sales_reps') }}
),

customers as (
    select given.* from {{ ref('stg_orders__customers') }} as given
    {{ in_scope('given', ref('int_customers__scope'), ['tenant_id', 'customer_id']) }}
),

orders as (
    select given.* from {{ ref('stg_orders__orders') }} as given
    {{ in_scope('given', ref('int_customers__scope'), ['tenant_id', 'customer_id']) }}
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

    {{ rows_left_out(
        'sales_reps', 'sales_rep_id',
        'tenants', ['tenant_id'], 'tenant_id_unknown'
    ) }}

    union all

    {{ rows_left_out(
        'customers', 'customer_id',
        'tenants', ['tenant_id'], 'tenant_id_unknown'
    ) }}

    union all

    {{ rows_left_out(
        'orders', 'order_id',
        'customers', ['tenant_id', 'customer_id'], 'customer_id_unknown'
    ) }}
),

final as (
    {{ quarantine_log('orders', 'judged') }}
)

select * from final
