with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        evaluated_on,
        -- what the churn risk is computed from; six decimals make thirds whole again
        case when count(score) > 0 then round(sum(points), 6) end as exact_score,
        round(avg(score) filter (where component = 'usage'), 4)
            as usage_score,
        round(avg(score) filter (where component = 'support'), 4)
            as support_score,
        round(avg(score) filter (where component = 'engagement'), 4)
            as engagement_score,
        round(avg(score) filter (where component = 'business'), 4)
            as business_score,
        max(data_coverage) as data_coverage,
        max(weights_version) as weights_version
    from factors
    group by account_id, organization_id, score_date, evaluated_on
)

select * from final
