with days as (
    select * from {{ ref('int_usage_days') }}
),

assignments as (
    select * from {{ ref('stg_usage__campaign_assignments') }}
),

campaigns as (
    select * from {{ ref('stg_usage__campaigns') }}
),

-- an assignment to another organization's campaign is never due; it is quarantined
dated as (
    select
        assignments.organization_id,
        assignments.assignment_status,
        assignments.completed_at,
        case
            when campaigns.campaign_id is not null
                then coalesce(assignments.due_at, campaigns.ends_at)
            when ({{ is_of_anothers_campaign('assignments', 'campaigns') }}) is not true
                then assignments.due_at
        end as due_at
    from assignments
    left join campaigns
        on
            assignments.organization_id = campaigns.organization_id
            and assignments.campaign_id = campaigns.campaign_id
            and campaigns.is_valid
    where assignments.is_valid
),

-- an assignment counts when it is due; before that, its outcome is open
final as (
    select
        days.organization_id,
        days.metric_date,
        count(*) as campaign_assignments_count,
        count(*) filter (
            where
            dated.assignment_status = 'COMPLETED'
            and (
                dated.completed_at is null
                or dated.completed_at < days.window_ends_at
            )
        ) as completed_assignments_count
    from days
    inner join dated
        on
            days.organization_id = dated.organization_id
            and days.window_starts_at <= dated.due_at
            and days.window_ends_at > dated.due_at
    group by days.organization_id, days.metric_date
)

select * from final
