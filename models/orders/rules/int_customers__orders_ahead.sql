-- Orders dated after as_of do not count yet, but we know when they will.
with orders as (
    select * from {{ ref('int_orders') }}
),

final as (
    select
        tenant_id,
        customer_id,
        min(delivered_at) filter (where delivered_at > {{ as_of() }})
            as next_delivered_at,
        min(ordered_at) filter (where ordered_at > {{ as_of() }} and not is_draft)
            as next_ordered_at
    from orders
    where
        delivered_at > {{ as_of() }}
        or (ordered_at > {{ as_of() }} and not is_draft)
    group by tenant_id, customer_id
)

select * from final
