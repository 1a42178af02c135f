{{ config(tags=['sanity', 'accounts'], meta={'sanity_check': 12}) }}

-- States: the 13 factors of every account and day sum to its score, their lost points
-- sum to 100 minus the score, their weights sum to 1, and every scored account has
-- them.
-- Matters: before anything is published; factors must explain their score.
-- To resolve: compare int_account_health_factors and int_account_health_scores for the
-- account and day that the test names. Factors are rounded to eight decimals and the
-- score once, from exact values, so near a half the sum of the factors may round
-- differently.
with factors as (
    select * from {{ ref('int_account_health_factors') }}
),

scores as (
    select * from {{ ref('int_account_health_scores') }}
),

organizations as (
    select * from {{ ref('int_accounts_organizations') }}
),

-- factors of older days are not kept
kept as (
    select scores.*
    from scores
    inner join organizations
        on scores.organization_id = organizations.organization_id
    where
        scores.score_date > organizations.today - {{ var('account_factor_days') }}
),

summed as (
    select
        organization_id,
        account_id,
        score_date,
        count(*) as factors_count,
        sum(points) as points,
        sum(points_lost) as points_lost,
        sum(effective_weight) as effective_weight,
        sum(handed_over_weight) as handed_over_weight
    from factors
    group by organization_id, account_id, score_date
)

select
    coalesce(kept.organization_id, summed.organization_id) as organization_id,
    coalesce(kept.account_id, summed.account_id) as account_id,
    coalesce(kept.score_date, summed.score_date) as score_date,
    kept.health_score,
    summed.points,
    summed.points_lost,
    summed.effective_weight
from kept
full join summed
    on
        kept.organization_id = summed.organization_id
        and kept.account_id = summed.account_id
        and kept.score_date = summed.score_date
where
    (
        summed.factors_count = 13
        and case
            -- nothing was measured, or nothing that has a weight
            when kept.data_coverage = 0
                then kept.health_score is null and summed.effective_weight = 0
            else
                abs(summed.points - kept.health_score) < 0.0050001
                and abs(summed.points + summed.points_lost - 100) < 0.000001
                and abs(summed.effective_weight - 1) < 0.00000001
                and abs(summed.handed_over_weight) < 0.00000001
        end
    ) is not true
