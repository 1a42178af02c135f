with bookings as (
    select * from {{ ref('stg_bookings__bookings') }}
),

newest as (
    select
        max(updated_at) as newest_at,
        max(updated_at)
        + interval '{{ var("source_stale_after_hours") }} hours' as stale_after
    from bookings
    where
        is_valid
        and updated_at <= {{ as_of() }}
),

final as (
    select
        'bookings' as system,
        newest_at,
        stale_after,
        {{ var('bookings_enabled') }}
        and (
            newest_at is null
            or stale_after < {{ as_of() }}
        ) as is_stale
    from newest
)

select * from final
