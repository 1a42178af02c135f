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

final as (
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
        -- of a few accounts a quartile would tell what each of them has
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.25) within group (order by health_score))::numeric, 2
                    )
        end::numeric(5, 2) as health_score_q1,
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.5) within group (order by health_score))::numeric, 2
                    )
        end::numeric(5, 2) as health_score_median,
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.75) within group (order by health_score))::numeric, 2
                    )
        end::numeric(5, 2) as health_score_q3,
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.25) within group (order by churn_risk_score))::numeric, 2
                    )
        end::numeric(5, 2) as churn_risk_score_q1,
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.5) within group (order by churn_risk_score))::numeric, 2
                    )
        end::numeric(5, 2) as churn_risk_score_median,
        case
            when count(*) >= {{ var('benchmark_min_peers') }}
                then
                    round(
                        (percentile_cont(0.75) within group (order by churn_risk_score))::numeric, 2
                    )
        end::numeric(5, 2) as churn_risk_score_q3
    from bucketed
    group by organization_id, dimension, bucket
)

select * from final
