-- Days that earlier refreshes collected. A separate model, so that unit tests can
-- supply its rows.
with organizations as (
    select * from {{ ref('int_usage_organizations') }}
),

held as (
    select * from {{ as_before_refresh('tenant_usage_metrics_daily') }} as published
),

final as (
    select
        held.organization_id,
        held.metric_date,
        held.enabled_users_count,
        held.active_users_count,
        held.closed_cases_count,
        held.on_time_cases_count,
        held.campaign_assignments_count,
        held.completed_assignments_count,
        held.tracked_features_count,
        held.adopted_features_count,
        held.support_tickets_count,
        held.collected_at
    from organizations
    inner join held
        on organizations.organization_id = held.organization_id
)

select * from final
