{{ config(materialized='publication') }}

{{ publish('accounts', {
    'success_organizations': ref('int_accounts_organizations'),
    'account_engagements': ref('int_account_engagements'),
    'account_engagement_summary': ref('int_account_engagement_summary'),
    'account_health_factors': ref('int_account_health_factors'),
    'account_health_scores': ref('int_account_health_scores'),
    'account_churn_risk': ref('int_account_churn_risk'),
    'goal_progress': ref('int_goal_progress'),
    'account_profiles': ref('int_account_profiles'),
    'accounts_quarantined_rows': ref('int_quarantined_rows__accounts'),
}) }}
