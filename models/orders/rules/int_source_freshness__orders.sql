with orders as (
    select * from {{ ref('stg_orders__orders') }}
),

newest as (
    select max(updated_at) as newest_at
    from orders
    where
        is_valid
        and updated_at <= {{ as_of() }}
),

final as (
    select
        'orders' as system,
        newest_at,
        {{ var('orders_enabled') }}
        and (
            newest_at is null
            or newest_at < {{ as_of() }}
            - interval '{{ var("source_stale_after_hours") }} hours'
        ) as is_stale
    from newest
)

select * from final
