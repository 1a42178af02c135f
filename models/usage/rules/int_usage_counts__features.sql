with days as (
    select * from {{ ref('int_usage_days') }}
),

features as (
    select
        organization_id,
        coalesce(first_used_at, last_used_at) as first_used_at,
        coalesce(last_used_at, first_used_at) as last_used_at
    from {{ ref('stg_usage__feature_adoptions') }}
    where is_valid
),

-- a tracked feature has a row, used or not
final as (
    select
        days.organization_id,
        days.metric_date,
        count(*) as tracked_features_count,
        count(*) filter (
            where
            features.first_used_at < days.window_ends_at
            and (
                features.first_used_at >= days.window_starts_at
                or (
                    features.last_used_at >= days.window_starts_at
                    -- a later use hides earlier ones; on a backfilled day it counts as
                    -- a use
                    and (
                        features.last_used_at < days.window_ends_at
                        or days.is_backfilled
                    )
                )
            )
        ) as adopted_features_count
    from days
    inner join features
        on days.organization_id = features.organization_id
    group by days.organization_id, days.metric_date
)

select * from final
