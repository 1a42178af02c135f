with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        evaluated_on,
        -- not rounded: the churn risk is computed from it
        case when count(score) > 0 then sum(points) end as exact_score,
        avg(score) filter (where component = 'usage') as usage_score,
        avg(score) filter (where component = 'support') as support_score,
        avg(score) filter (where component = 'engagement') as engagement_score,
        avg(score) filter (where component = 'business') as business_score,
        max(data_coverage) as data_coverage,
        max(weights_version) as weights_version
    from factors
    group by account_id, organization_id, score_date, evaluated_on
)

select * from final
