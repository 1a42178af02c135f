{{ config(
    unique_key=['organization_id', 'account_id'],
    indexes=[
        {'columns': ['organization_id', 'industry']},
        {'columns': ['organization_id', 'churn_risk_score']},
    ],
    meta={'published': {'scope': 'int_accounts_organizations'}},
) }}

{{ published_by(ref('accounts_publications')) }}
