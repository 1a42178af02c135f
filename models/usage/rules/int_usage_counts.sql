with days as (
    select * from {{ ref('int_usage_days') }}
),

users as (
    select * from {{ ref('int_usage_counts__users') }}
),

cases as (
    select * from {{ ref('int_usage_counts__cases') }}
),

campaigns as (
    select * from {{ ref('int_usage_counts__campaigns') }}
),

features as (
    select * from {{ ref('int_usage_counts__features') }}
),

tickets as (
    select * from {{ ref('int_usage_counts__tickets') }}
),

final as (
    select
        days.organization_id,
        days.metric_date,
        coalesce(users.enabled_users_count, 0) as enabled_users_count,
        coalesce(users.active_users_count, 0) as active_users_count,
        coalesce(cases.closed_cases_count, 0) as closed_cases_count,
        coalesce(cases.on_time_cases_count, 0) as on_time_cases_count,
        coalesce(cases.overdue_cases_count, 0) as overdue_cases_count,
        coalesce(cases.cases_without_sla_count, 0) as cases_without_sla_count,
        coalesce(campaigns.campaign_assignments_count, 0) as campaign_assignments_count,
        coalesce(campaigns.completed_assignments_count, 0)
            as completed_assignments_count,
        coalesce(features.tracked_features_count, 0) as tracked_features_count,
        coalesce(features.adopted_features_count, 0) as adopted_features_count,
        -- no tickets means 0; no source of tickets means NULL
        case
            when {{ var('usage_support_tickets_enabled') }}
                then coalesce(tickets.support_tickets_count, 0)
        end as support_tickets_count,
        days.window_starts_at,
        days.window_ends_at,
        days.collected_at
    from days
    left join users
        on
            days.organization_id = users.organization_id
            and days.metric_date = users.metric_date
    left join cases
        on
            days.organization_id = cases.organization_id
            and days.metric_date = cases.metric_date
    left join campaigns
        on
            days.organization_id = campaigns.organization_id
            and days.metric_date = campaigns.metric_date
    left join features
        on
            days.organization_id = features.organization_id
            and days.metric_date = features.metric_date
    left join tickets
        on
            days.organization_id = tickets.organization_id
            and days.metric_date = tickets.metric_date
)

select * from final
