{{ config(
    unique_key=['organization_id', 'engagement_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'completed_at']},
    ],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
    },
) }}

select * from {{ ref('int_account_engagements') }}
