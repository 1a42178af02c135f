{{ config(
    unique_key=['organization_id', 'score_date', 'account_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'score_date']},
    ],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
        'day': 'score_date',
    },
    full_refresh=false,
) }}

select * from {{ ref('int_account_churn_risk') }}
