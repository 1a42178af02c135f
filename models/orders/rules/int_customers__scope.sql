{{ config(unique_key=['tenant_id', 'customer_id']) }}

-- The customers that this refresh recomputes; everything downstream reads only theirs.
with customers as not materialized (
    select * from {{ ref('stg_orders__customers') }}
),

changed_keys as not materialized (
    select * from {{ ref('int_changed_keys__orders') }}
),

risk_status as (
    select * from {{ as_before_refresh('customer_risk_status') }} as published
),

account_types as (
    select * from {{ as_before_refresh('customer_account_types') }} as published
),

closed_days as (
    select * from {{ as_before_refresh('closed_customer_order_days') }} as published
),

due_by_themselves as (
    select * from {{ ref('int_customers__due') }}
),

-- what an hourly refresh recomputes
due as (
    select
        tenant_id,
        customer_id
    from changed_keys
    where kind = 'customer'

    union distinct

    select
        customers.tenant_id,
        customers.customer_id
    from changed_keys
    inner join customers
        on
            changed_keys.tenant_id = customers.tenant_id
            and changed_keys.kind = 'tenant'
    where customers.is_valid

    union distinct

    -- the customers that a tenant no longer has
    select
        risk_status.tenant_id,
        risk_status.customer_id
    from changed_keys
    inner join risk_status
        on
            changed_keys.tenant_id = risk_status.tenant_id
            and changed_keys.kind = 'tenant'

    union distinct

    select
        account_types.tenant_id,
        account_types.customer_id
    from changed_keys
    inner join account_types
        on
            changed_keys.tenant_id = account_types.tenant_id
            and changed_keys.kind = 'tenant'

    union distinct

    select
        closed_days.tenant_id,
        closed_days.customer_id
    from changed_keys
    inner join closed_days
        on
            changed_keys.tenant_id = closed_days.tenant_id
            and changed_keys.kind = 'tenant'

    union distinct

    select * from due_by_themselves
),

-- what a nightly refresh recomputes, too
others as (
    select
        customers.tenant_id,
        customers.customer_id
    from customers
    left join due
        on
            customers.tenant_id = due.tenant_id
            and customers.customer_id = due.customer_id
    where
        customers.is_valid
        and due.tenant_id is null
        and '{{ var("refresh_scope") }}' = 'all'
),

final as (
    select
        tenant_id,
        customer_id,
        true as is_due
    from due

    union all

    select
        tenant_id,
        customer_id,
        false as is_due
    from others
)

select * from final
