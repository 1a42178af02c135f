{{ config(materialized='view_in_place') }}

with orders_rows as (
    select * from {{ ref('orders_quarantined_rows') }}
),

final as (
    select
        system,
        "table",
        nullif(key, '') as key,
        nullif(tenant, '') as tenant,
        reason,
        rows_count,
        first_seen_at
    from orders_rows
)

select * from final
