-- The days that a backfill skips because they are already published. A separate model,
-- because a unit test can supply the rows of a model but not those of a mart before the
-- refresh.
with organizations as (
    select * from {{ ref('int_accounts_organizations') }}
),

held as (
    select * from {{ as_before_refresh('account_health_scores') }} as published
),

days as (
    select
        organizations.organization_id,
        organizations.today - days_before as score_date
    from organizations
    cross join generate_series(1, {{ var('backfill_days') }}) as days_before
),

final as (
    select
        days.organization_id,
        days.score_date
    from days
    where
        exists (
            select from held
            where
                days.organization_id = held.organization_id
                and days.score_date = held.score_date
        )
)

select * from final
