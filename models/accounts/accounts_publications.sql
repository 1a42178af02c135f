{{ config(materialized='publication') }}

{{ publish('accounts', [
    ref('success_organizations'),
    ref('account_engagements'),
    ref('account_engagement_summary'),
    ref('account_health_factors'),
    ref('account_health_scores'),
    ref('account_churn_risk'),
    ref('goal_progress'),
    ref('account_profiles'),
    ref('accounts_quarantined_rows'),
]) }}
