-- Keys that triggers recorded but that exist neither in an input nor, until this
-- refresh, in a mart. Each is looked up individually through an index, because there
-- are usually few.
with noted as (
    select * from {{ ref('int_changed_keys__orders') }}
),

tenants as (
    select * from {{ ref('stg_orders__tenants') }}
),

customers as (
    select * from {{ ref('stg_orders__customers') }}
),

orders as (
    select * from {{ ref('stg_orders__orders') }}
),

published_tenants as (
    select * from {{ as_before_refresh('tenants') }} as published
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

final as (
    select
        noted.kind,
        noted.tenant_id,
        noted.customer_id
    from noted
    where
        noted.may_be_unknown
        and case
            when noted.kind = 'customer'
                then coalesce(
                    (
                        select false from customers
                        where
                            noted.tenant_id = customers.tenant_id
                            and noted.customer_id = customers.customer_id
                        limit 1
                    ),
                    (
                        select false from orders
                        where
                            noted.tenant_id = orders.tenant_id
                            and noted.customer_id = orders.customer_id
                        limit 1
                    ),
                    (
                        select false from risk_status
                        where
                            noted.tenant_id = risk_status.tenant_id
                            and noted.customer_id = risk_status.customer_id
                        limit 1
                    ),
                    (
                        select false from account_types
                        where
                            noted.tenant_id = account_types.tenant_id
                            and noted.customer_id = account_types.customer_id
                        limit 1
                    ),
                    (
                        select false from closed_days
                        where
                            noted.tenant_id = closed_days.tenant_id
                            and noted.customer_id = closed_days.customer_id
                        limit 1
                    ),
                    true
                )
            else coalesce(
                (
                    select false from tenants
                    where noted.tenant_id = tenants.tenant_id
                    limit 1
                ),
                (
                    select false from published_tenants
                    where noted.tenant_id = published_tenants.tenant_id
                    limit 1
                ),
                true
            )
        end
)

select * from final
