with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        -- not rounded: the churn risk is computed from both
        sum(points) filter (where evaluated_on = score_date and score is not null)
            as exact_score,
        sum(points) filter (where evaluated_on < score_date and score is not null)
            as earlier_score,
        avg(score) filter (where evaluated_on = score_date and component = 'usage')
            as usage_score,
        avg(score) filter (where evaluated_on = score_date and component = 'support')
            as support_score,
        avg(score) filter (where evaluated_on = score_date and component = 'engagement')
            as engagement_score,
        avg(score) filter (where evaluated_on = score_date and component = 'business')
            as business_score,
        max(data_coverage) filter (where evaluated_on = score_date) as data_coverage,
        max(weights_version) as weights_version
    from factors
    group by account_id, organization_id, score_date
    -- an account that was archived since is not scored, only what it was ranked among
    having bool_or(evaluated_on = score_date)
)

select * from final
