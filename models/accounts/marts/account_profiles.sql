{{ config(
    unique_key=['organization_id', 'account_id'],
    indexes=[
        {'columns': ['organization_id', 'industry']},
        {'columns': ['organization_id', 'churn_risk_score']},
    ],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
    },
) }}

select * from {{ ref('int_account_profiles') }}
