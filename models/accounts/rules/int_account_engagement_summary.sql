-- Windows are (today - days, today]; planned engagements are in none.
with accounts as (
    select * from {{ ref('int_accounts') }}
),

engagements as (
    select * from {{ ref('int_account_engagements') }}
),

judged as not materialized (
    select
        organization_id,
        account_id,
        today,
        today - created_on as account_age_days,
        reported_status != 'churned'
        and today - created_on < {{ var('account_onboarding_days') }} as is_onboarding
    from accounts
    where not is_archived
),

aged as (
    select
        judged.organization_id,
        judged.account_id,
        engagements.engagement_type,
        engagements.outcome,
        engagements.completed_at,
        judged.today - engagements.completed_on as days_ago,
        case when not engagements.is_completed then engagements.scheduled_at end
            as planned_at
    from judged
    inner join engagements
        on
            judged.organization_id = engagements.organization_id
            and judged.account_id = engagements.account_id
),

final as (
    select
        judged.organization_id,
        judged.account_id,
        count(aged.completed_at) as total_engagements,
        max(aged.completed_at) as last_engagement_at,
        min(aged.days_ago) as days_since_last_engagement,
        min(aged.planned_at) filter (where aged.planned_at > {{ as_of() }})
            as next_engagement_at,
        judged.is_onboarding,
        -- without any engagement, days count from the account's creation
        coalesce(min(aged.days_ago), judged.account_age_days)
        > case
            when judged.is_onboarding then {{ var('onboarding_gap_days') }}
            else {{ var('engagement_gap_days') }}
        end as has_engagement_gap,
        count(*) filter (where aged.days_ago < 7) as engagements_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'meeting')
            as meetings_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'call')
            as calls_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'email')
            as emails_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'note')
            as notes_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'demo')
            as demos_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.engagement_type = 'training')
            as trainings_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.outcome = 'positive')
            as positive_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.outcome = 'neutral')
            as neutral_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.outcome = 'negative')
            as negative_last_7d,
        count(*) filter (where aged.days_ago < 7 and aged.outcome = 'action_required')
            as action_required_last_7d,
        count(*) filter (where aged.days_ago < 30) as engagements_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'meeting')
            as meetings_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'call')
            as calls_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'email')
            as emails_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'note')
            as notes_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'demo')
            as demos_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.engagement_type = 'training')
            as trainings_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.outcome = 'positive')
            as positive_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.outcome = 'neutral')
            as neutral_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.outcome = 'negative')
            as negative_last_30d,
        count(*) filter (where aged.days_ago < 30 and aged.outcome = 'action_required')
            as action_required_last_30d,
        count(*) filter (where aged.days_ago < 90) as engagements_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'meeting')
            as meetings_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'call')
            as calls_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'email')
            as emails_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'note')
            as notes_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'demo')
            as demos_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.engagement_type = 'training')
            as trainings_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.outcome = 'positive')
            as positive_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.outcome = 'neutral')
            as neutral_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.outcome = 'negative')
            as negative_last_90d,
        count(*) filter (where aged.days_ago < 90 and aged.outcome = 'action_required')
            as action_required_last_90d
    from judged
    left join aged
        on
            judged.organization_id = aged.organization_id
            and judged.account_id = aged.account_id
    group by
        judged.account_id,
        judged.organization_id,
        judged.account_age_days,
        judged.is_onboarding
)

select * from final
