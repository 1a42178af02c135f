-- Always the day of as_of; earlier days only if nothing was published for them yet.
with organizations as (
    select * from {{ ref('int_accounts_organizations') }}
),

held as (
    select * from {{ ref('int_account_score_dates__held') }}
),

weights as (
    select distinct
        version,
        valid_from
    from {{ ref('account_health_weights') }}
),

days as (
    select
        organizations.organization_id,
        organizations.today - days_before as score_date
    from organizations
    cross join generate_series(0, {{ var('backfill_days') }}) as days_before
),

wanted as (
    select
        days.organization_id,
        days.score_date
    from days
    left join held
        on
            days.organization_id = held.organization_id
            and days.score_date = held.score_date
    where held.score_date is null
),

final as (
    select
        wanted.organization_id,
        wanted.score_date,
        of_the_day.version as weights_version
    from wanted
    cross join lateral (
        select weights.version
        from weights
        where weights.valid_from <= wanted.score_date
        order by weights.valid_from desc
        limit 1
    ) as of_the_day
)

select * from final
