{{ config(tags=['sanity', 'usage'], meta={'sanity_check': 12}) }}

-- States: the five factors of every organization and day sum to its score, their lost
-- points sum to 100 minus the score, and their weights sum to exactly 1.
-- Matters: before anything is published; factors must explain their score.
-- To resolve: compare int_tenant_health_factors and int_tenant_health_scores for the
-- organization and day that the test names.
with factors as (
    select * from {{ ref('int_tenant_health_factors') }}
),

scores as (
    select * from {{ ref('int_tenant_health_scores') }}
),

summed as (
    select
        organization_id,
        metric_date,
        count(*) as factors_count,
        sum(weighted_points) as weighted_points,
        sum(points_lost) as points_lost,
        sum(weight) as weight,
        sum(weight) filter (where has_data) as weight_with_data
    from factors
    group by organization_id, metric_date
)

select
    scores.organization_id,
    scores.metric_date,
    scores.overall_score,
    summed.weighted_points,
    summed.points_lost,
    summed.weight
from scores
full join summed
    on
        scores.organization_id = summed.organization_id
        and scores.metric_date = summed.metric_date
where
    (
        summed.factors_count = 5
        and summed.weight = 1
        and round(summed.weighted_points) = scores.overall_score
        and summed.weighted_points + summed.points_lost = 100
        and coalesce(summed.weight_with_data, 0) = scores.data_coverage
    ) is not true
