{{ config(
    unique_key=['organization_id', 'goal_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id']},
    ],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
    },
) }}

select * from {{ ref('int_goal_progress') }}
