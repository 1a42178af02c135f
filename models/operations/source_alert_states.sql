{{ config(materialized='view_in_place') }}

-- What is told of a source. A crash of the server empties what the refresh knew of it.
with orders_freshness as (
    select * from {{ ref('int_source_freshness__orders') }}
),

bookings_freshness as (
    select * from {{ ref('int_source_freshness__bookings') }}
),

freshness as (
    select * from orders_freshness
    union all
    select * from bookings_freshness
),

final as (
    select
        'SOURCE_STALE' as kind,
        'source' as subject_kind,
        '' as tenant_id,
        '' as tenant_slug,
        systems.system as subject,
        freshness.is_stale as is_on,
        case
            when freshness.is_stale
                then
                    format(
                        'source %s is stale, its newest change is of %s',
                        systems.system,
                        coalesce({{ iso_instant('freshness.newest_at') }}, 'never')
                    )
            else format('source %s changes again', systems.system)
        end as message,
        jsonb_build_object('newest_at', freshness.newest_at) as details
    from (values ('orders'), ('bookings')) as systems (system)
    left join freshness
        on systems.system = freshness.system
)

select * from final
