with accounts as (
    select * from {{ ref('int_accounts') }}
),

scores as (
    select * from {{ ref('int_account_health_scores') }}
),

churn_risk as (
    select * from {{ ref('int_account_churn_risk') }}
),

measures as (
    select * from {{ ref('int_account_days__measures') }}
),

engagements as (
    select * from {{ ref('int_accounts__last_engagements') }}
),

goals as (
    select * from {{ ref('int_accounts__goals') }}
),

final as (
    select
        accounts.organization_id,
        accounts.account_id,
        accounts.account_name,
        accounts.industry,
        accounts.account_size,
        {{ half_up('accounts.arr', 2) }}::numeric(14, 2) as arr,
        accounts.created_on,
        accounts.renewal_on,
        accounts.reported_status,
        accounts.reported_health_score,
        accounts.reported_churn_risk_score,
        scores.suggested_status,
        accounts.today as score_date,
        scores.health_score,
        scores.usage_score,
        scores.support_score,
        scores.engagement_score,
        scores.business_score,
        scores.data_coverage,
        scores.confidence,
        scores.score_30_days_ago,
        scores.score_change_30d,
        churn_risk.churn_risk_score,
        measures.days_since_engagement,
        measures.open_tickets_count,
        measures.escalated_tickets_count,
        measures.overdue_invoices_count,
        measures.overdue_amount,
        coalesce(engagements.last_engagements, '[]') as last_engagements,
        coalesce(goals.goals_count, 0) as goals_count,
        coalesce(goals.achieved_goals_count, 0) as achieved_goals_count,
        goals.goal_completion_rate,
        goals.mean_days_to_achieve,
        coalesce(goals.open_goals, '[]') as open_goals
    from accounts
    -- left joins, although every row has a match: they tell the planner the row count
    left join scores
        on
            accounts.organization_id = scores.organization_id
            and accounts.account_id = scores.account_id
            and accounts.today = scores.score_date
    left join churn_risk
        on
            accounts.organization_id = churn_risk.organization_id
            and accounts.account_id = churn_risk.account_id
            and accounts.today = churn_risk.score_date
    left join measures
        on
            accounts.organization_id = measures.organization_id
            and accounts.account_id = measures.account_id
            and accounts.today = measures.evaluated_on
    left join engagements
        on
            accounts.organization_id = engagements.organization_id
            and accounts.account_id = engagements.account_id
    left join goals
        on
            accounts.organization_id = goals.organization_id
            and accounts.account_id = goals.account_id
    where not accounts.is_archived
)

select * from final
