with days as (
    select * from {{ ref('int_usage_days') }}
),

users as (
    select * from {{ ref('stg_usage__users') }}
),

final as (
    select
        days.organization_id,
        days.metric_date,
        count(*) as enabled_users_count,
        count(*) filter (
            where
            users.last_login_at >= days.window_starts_at
            and (
                users.last_login_at < days.window_ends_at
                -- the source keeps only the last login: on a backfilled day, a user who
                -- logged in later is assumed to have been active before
                or days.is_backfilled
            )
        ) as active_users_count
    from days
    inner join users
        on
            days.organization_id = users.organization_id
            and days.window_ends_at > users.created_at
    where
        users.is_valid
        and users.is_enabled
    group by days.organization_id, days.metric_date
)

select * from final
