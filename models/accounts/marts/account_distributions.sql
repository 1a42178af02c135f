{{ config(materialized='view_in_place') }}

with profiles as (
    select * from {{ ref('account_profiles') }}
),

bucketed as (
    select
        profiles.organization_id,
        buckets.dimension,
        buckets.bucket,
        profiles.arr,
        profiles.suggested_status,
        profiles.health_score,
        profiles.churn_risk_score
    from profiles
    cross join lateral (
        values
        ('organization', 'all'),
        ('industry', coalesce(profiles.industry, 'not given')),
        ('size', coalesce(profiles.account_size, 'not given'))
    ) as buckets (dimension, bucket)
),

counted as (
    select
        organization_id,
        dimension,
        bucket,
        count(*) as peers_count,
        coalesce(sum(arr), 0)::numeric(18, 2) as arr,
        count(*) filter (where suggested_status = 'onboarding') as onboarding_count,
        count(*) filter (where suggested_status = 'active') as active_count,
        count(*) filter (where suggested_status = 'at_risk') as at_risk_count,
        count(*) filter (where suggested_status = 'churned') as churned_count,
        percentile_cont(0.25) within group (order by health_score)
            as health_score_q1,
        percentile_cont(0.5) within group (order by health_score)
            as health_score_median,
        percentile_cont(0.75) within group (order by health_score)
            as health_score_q3,
        percentile_cont(0.25) within group (order by churn_risk_score)
            as churn_risk_score_q1,
        percentile_cont(0.5) within group (order by churn_risk_score)
            as churn_risk_score_median,
        percentile_cont(0.75) within group (order by churn_risk_score)
            as churn_risk_score_q3
    from bucketed
    group by organization_id, dimension, bucket
),

-- quartiles of only a few accounts would reveal each account's value
final as (
    select
        organization_id,
        dimension,
        bucket,
        peers_count,
        arr,
        onboarding_count,
        active_count,
        at_risk_count,
        churned_count,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(health_score_q1::numeric, 2)
        end::numeric(5, 2) as health_score_q1,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(health_score_median::numeric, 2)
        end::numeric(5, 2) as health_score_median,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(health_score_q3::numeric, 2)
        end::numeric(5, 2) as health_score_q3,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(churn_risk_score_q1::numeric, 2)
        end::numeric(5, 2) as churn_risk_score_q1,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(churn_risk_score_median::numeric, 2)
        end::numeric(5, 2) as churn_risk_score_median,
        case
            when peers_count >= {{ var('benchmark_min_peers') }}
                then round(churn_risk_score_q3::numeric, 2)
        end::numeric(5, 2) as churn_risk_score_q3
    from counted
)

select * from final
