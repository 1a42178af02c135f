-- The days that a backfill leaves alone: they are published. A model of its own, for a
-- unit test can give the rows of a model and not those of a mart before the refresh.
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
