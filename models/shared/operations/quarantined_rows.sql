{{ config(materialized='view_in_place') }}

with orders_rows as (
    select * from {{ ref('orders_quarantined_rows') }}
),

bookings_rows as (
    select * from {{ ref('bookings_quarantined_rows') }}
),

usage_rows as (
    select * from {{ ref('usage_quarantined_rows') }}
),

accounts_rows as (
    select * from {{ ref('accounts_quarantined_rows') }}
),

-- by name: a mart that has grown has its new columns last
united as (
    select
        system,
        "table",
        key,
        tenant,
        reason,
        rows_count,
        first_seen_at
    from orders_rows

    union all

    select
        system,
        "table",
        key,
        tenant,
        reason,
        rows_count,
        first_seen_at
    from bookings_rows

    union all

    select
        system,
        "table",
        key,
        tenant,
        reason,
        rows_count,
        first_seen_at
    from usage_rows

    union all

    select
        system,
        "table",
        key,
        tenant,
        reason,
        rows_count,
        first_seen_at
    from accounts_rows
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
    from united
)

select * from final
