-- The customers that this refresh recomputes; everything downstream reads only theirs.
with customers as (
    select * from {{ ref('stg_commerce__customers') }}
),

final as (
    select
        tenant_id,
        customer_id
    from customers
    where is_valid
)

select * from final
