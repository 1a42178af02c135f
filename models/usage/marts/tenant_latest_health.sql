{{ config(materialized='view_in_place') }}

with organizations as (
    select * from {{ ref('platform_organizations') }}
),

scores as (
    select * from {{ ref('tenant_health_scores') }}
),

final as (
    -- the latest day up to as_of, even if later days exist
    select distinct on (scores.organization_id)
        scores.organization_id,
        organizations.organization_slug,
        organizations.organization_name,
        organizations.as_of,
        scores.metric_date,
        scores.overall_score,
        scores.overall_score_observed,
        scores.data_coverage,
        scores.has_login_data,
        scores.has_case_resolution_data,
        scores.has_campaign_completion_data,
        scores.has_feature_adoption_data,
        scores.has_support_tickets_data,
        scores.previous_metric_date,
        scores.previous_score,
        scores.comparable_previous_score,
        scores.score_change,
        scores.trend,
        scores.risk_level,
        scores.top_driver,
        scores.top_drag,
        scores.weights_version,
        scores.has_new_weights
    from organizations
    inner join scores
        on
            organizations.organization_id = scores.organization_id
            and organizations.today >= scores.metric_date
    order by scores.organization_id asc, scores.metric_date desc
)

select * from final
