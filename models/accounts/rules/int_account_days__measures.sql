-- The measures behind the sub-scores and the churn risk. No tickets and no engagements
-- count as 0; everything else that was not measured is NULL.
with account_days as (
    select * from {{ ref('int_account_days') }}
),

accounts as (
    select * from {{ ref('int_accounts') }}
),

usage as (
    select * from {{ ref('int_account_days__usage') }}
),

support as (
    select * from {{ ref('int_account_days__support') }}
),

engagement as (
    select * from {{ ref('int_account_days__engagement') }}
),

business as (
    select * from {{ ref('int_account_days__business') }}
),

final as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,

        -- a column per sub-score of the seed account_health_scales
        usage.logins_per_week::numeric as logins,
        usage.feature_adoption_score::numeric as feature_adoption,
        usage.training_completion_pct::numeric as training,
        coalesce(support.tickets_count, 0)::numeric as tickets,
        support.mean_severity::numeric as severity,
        support.mean_hours_to_resolve::numeric as hours_to_resolve,
        support.mean_satisfaction::numeric as satisfaction,
        coalesce(engagement.completed_count, 0)::numeric as completed,
        engagement.outcome_score::numeric as outcomes,
        coalesce(engagement.attendees_count, 0)::numeric as attendees,
        business.arr_rank::numeric as arr_rank,
        business.days_to_renewal::numeric as days_to_renewal,
        business.paid_on_time_rate::numeric as paid_on_time,

        -- also used by the churn risk
        usage.measured_on,
        engagement.last_engaged_on,
        account_days.evaluated_on
        - coalesce(engagement.last_engaged_on, accounts.created_on)
            as days_since_engagement,
        coalesce(engagement.has_competitor, false) as has_competitor,
        coalesce(support.open_tickets_count, 0) as open_tickets_count,
        coalesce(support.escalated_tickets_count, 0) as escalated_tickets_count,
        coalesce(business.overdue_invoices_count, 0) as overdue_invoices_count,
        coalesce(business.overdue_amount, 0)::numeric(18, 2) as overdue_amount
    from account_days
    -- left joins, although every row has a match: they tell the planner the row count
    left join accounts
        on
            account_days.organization_id = accounts.organization_id
            and account_days.account_id = accounts.account_id
    left join usage
        on
            account_days.organization_id = usage.organization_id
            and account_days.account_id = usage.account_id
            and account_days.evaluated_on = usage.evaluated_on
    left join support
        on
            account_days.organization_id = support.organization_id
            and account_days.account_id = support.account_id
            and account_days.evaluated_on = support.evaluated_on
    left join engagement
        on
            account_days.organization_id = engagement.organization_id
            and account_days.account_id = engagement.account_id
            and account_days.evaluated_on = engagement.evaluated_on
    left join business
        on
            account_days.organization_id = business.organization_id
            and account_days.account_id = business.account_id
            and account_days.evaluated_on = business.evaluated_on
)

select * from final
