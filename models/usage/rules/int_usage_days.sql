-- The days that this refresh collects: the day of as_of, and earlier days to backfill.
with organizations as (
    select * from {{ ref('int_usage_organizations') }}
),

held as not materialized (
    select * from {{ ref('int_usage_counts__held') }}
),

latest as (
    select
        organization_id,
        max(metric_date) as metric_date
    from held
    group by organization_id
),

spine as (
    select
        organizations.organization_id,
        organizations.time_zone,
        organizations.as_of,
        organizations.today - days_ago as metric_date,
        days_ago > 0 as is_backfilled
    from organizations
    cross join lateral generate_series(0, {{ var('backfill_days') }}) as days_ago
    where
        -- a backfill does not go back beyond the organization's creation
        days_ago = 0
        or organizations.created_at is null
        or {{ local_date('organizations.created_at', 'organizations.time_zone') }}
        <= organizations.today - days_ago
),

dated as (
    select
        *,
        case
            when is_backfilled
                then {{ local_midnight('(metric_date + 1)', 'time_zone') }}
            else as_of
        end as window_ends_at
    from spine
),

final as (
    select
        dated.organization_id,
        dated.metric_date,
        -- in hours, because a day in the session's time zone may have only 23
        dated.window_ends_at
        - make_interval(hours => 24 * {{ var('tenant_window_days') }})
            as window_starts_at,
        dated.window_ends_at,
        dated.as_of as collected_at,
        dated.is_backfilled
    from dated
    left join held
        on
            dated.organization_id = held.organization_id
            and dated.metric_date = held.metric_date
    left join latest
        on dated.organization_id = latest.organization_id
    where
        held.organization_id is null
        -- the day of as_of is collected again, unless it was collected for a later
        -- instant, or has ended: a login since then hides those of that day
        or (
            not dated.is_backfilled
            and held.collected_at <= dated.as_of
            and dated.metric_date = latest.metric_date
        )
)

select * from final
