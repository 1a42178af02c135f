-- The components of every day that was ever collected.
with collected as not materialized (
    select * from {{ ref('int_usage_counts') }}
),

held as (
    select * from {{ ref('int_usage_counts__held') }}
),

metrics as (
    select
        organization_id,
        metric_date,
        enabled_users_count,
        active_users_count,
        closed_cases_count,
        on_time_cases_count,
        campaign_assignments_count,
        completed_assignments_count,
        tracked_features_count,
        adopted_features_count,
        support_tickets_count
    from collected

    union all

    -- earlier days, unless this refresh has collected them again
    select
        organization_id,
        metric_date,
        enabled_users_count,
        active_users_count,
        closed_cases_count,
        on_time_cases_count,
        campaign_assignments_count,
        completed_assignments_count,
        tracked_features_count,
        adopted_features_count,
        support_tickets_count
    from held
    where
        not exists (
            select from collected
            where
                held.organization_id = collected.organization_id
                and held.metric_date = collected.metric_date
        )
),

final as (
    select
        metrics.organization_id,
        metrics.metric_date,
        component.component,
        component.measured_count,
        component.possible_count,
        coalesce(
            case
                when component.component = 'support_tickets'
                    then component.measured_count >= 0
                else component.possible_count > 0
            end,
            false
        ) as has_data
    from metrics
    cross join
        lateral (
            values
            ('login', metrics.active_users_count, metrics.enabled_users_count),
            (
                'case_resolution',
                metrics.on_time_cases_count,
                metrics.closed_cases_count
            ),
            (
                'campaign_completion',
                metrics.completed_assignments_count,
                metrics.campaign_assignments_count
            ),
            (
                'feature_adoption',
                metrics.adopted_features_count,
                metrics.tracked_features_count
            ),
            ('support_tickets', metrics.support_tickets_count, null)
        ) as component (component, measured_count, possible_count)
)

select * from final
