{{ config(materialized='view_in_place') }}

-- For one account it reads one row, and its days by index. For many, the trend costs
-- only queries that select it.
with profiles as (
    select * from {{ ref('account_profiles') }}
),

scores as (
    select * from {{ ref('account_health_scores') }}
),

final as (
    select
        profiles.*,
        profiles.renewal_on - profiles.score_date as days_to_renewal,
        (
            select
                coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'score_date', {{ iso_date('scores.score_date') }},
                            'health_score', scores.health_score
                        ) order by scores.score_date
                    ),
                    '[]'
                )
            from scores
            where
                scores.organization_id = profiles.organization_id
                and scores.account_id = profiles.account_id
                and scores.score_date
                > profiles.score_date - {{ var('account_trend_shown_days') }}
                and scores.score_date <= profiles.score_date
        ) as score_trend
    from profiles
)

select * from final
