{{ config(materialized='view_in_place') }}

with organizations as (
    select * from {{ ref('platform_organizations') }}
),

scores as (
    select * from {{ ref('tenant_health_scores') }}
),

final as (
    select
        organizations.organization_id,
        organizations.organization_slug,
        organizations.organization_name,
        organizations.as_of,
        latest.metric_date,
        latest.overall_score,
        latest.overall_score_observed,
        latest.data_coverage,
        latest.has_login_data,
        latest.has_case_resolution_data,
        latest.has_campaign_completion_data,
        latest.has_feature_adoption_data,
        latest.has_support_tickets_data,
        latest.previous_metric_date,
        latest.previous_score,
        latest.comparable_previous_score,
        latest.score_change,
        latest.trend,
        latest.risk_level,
        latest.top_driver,
        latest.top_drag,
        latest.weights_version,
        latest.has_new_weights
    from organizations
    -- the latest day up to as_of, even if later days exist; each is found by the key
    cross join lateral (
        select scores.* from scores
        where
            organizations.organization_id = scores.organization_id
            and organizations.today >= scores.metric_date
        order by scores.metric_date desc
        limit 1
    ) as latest
)

select * from final
