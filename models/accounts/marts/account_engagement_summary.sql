{{ config(
    unique_key=['organization_id', 'account_id'],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
    },
) }}

select * from {{ ref('int_account_engagement_summary') }}
