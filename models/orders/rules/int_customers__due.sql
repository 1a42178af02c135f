-- Customers that change only because time has passed.
with risk_status as (
    select * from {{ as_before_refresh('customer_risk_status') }} as published
),

account_types as (
    select * from {{ as_before_refresh('customer_account_types') }} as published
),

final as (
    select
        tenant_id,
        customer_id
    from risk_status
    where valid_until <= {{ as_of() }}

    union distinct

    select
        tenant_id,
        customer_id
    from account_types
    where valid_until <= {{ as_of() }}
)

select * from final
