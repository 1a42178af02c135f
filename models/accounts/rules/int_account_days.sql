with score_dates as not materialized (
    select * from {{ ref('int_account_score_dates') }}
),

accounts as (
    select * from {{ ref('int_accounts') }}
),

-- each published day, and the day with which it is compared
evaluated as (
    select
        organization_id,
        score_date as evaluated_on
    from score_dates

    union distinct

    select
        organization_id,
        score_date - {{ var('account_trend_days') }} as evaluated_on
    from score_dates
),

final as (
    select
        accounts.organization_id,
        accounts.account_id,
        evaluated.evaluated_on
    from evaluated
    inner join accounts
        on
            evaluated.organization_id = accounts.organization_id
            and evaluated.evaluated_on >= accounts.created_on
            and (
                accounts.archived_on is null
                or evaluated.evaluated_on < accounts.archived_on
            )
)

select * from final
