-- Keys that have changed since the last refresh, from triggers or, without triggers,
-- from updated_at. Tenants are few, so they are compared with the marts.
with moved_tenants as (
    select * from {{ ref('int_tenants__moved') }}
),

customers as (
    select * from {{ ref('stg_orders__customers') }}
),

orders as (
    select * from {{ ref('stg_orders__orders') }}
),

claimed as (
    select * from {{ changed_keys() }} as noticed
    where
        system = 'orders'
        and claimed_by = '{{ var("run_id") }}'
),

united as (
    select
        kind,
        tenant::{{ var('orders_tenant_id_type') }} as tenant_id,
        key::{{ var('orders_customer_id_type') }} as customer_id,
        not is_deleted as may_be_unknown
    from claimed

    union all

    select
        'tenant' as kind,
        tenant_id,
        null as customer_id,
        false as may_be_unknown
    from moved_tenants

    union all

    select
        'customer' as kind,
        tenant_id,
        customer_id,
        false as may_be_unknown
    from customers
    where updated_at >= {{ changed_since('orders') }}

    union all

    select
        'customer' as kind,
        tenant_id,
        customer_id,
        false as may_be_unknown
    from orders
    where updated_at >= {{ changed_since('orders') }}
),

final as (
    select
        kind,
        tenant_id,
        customer_id,
        bool_and(may_be_unknown) as may_be_unknown
    from united
    where
        tenant_id is not null
        and (customer_id is not null or kind != 'customer')
    group by
        kind,
        tenant_id,
        customer_id
)

select * from final
