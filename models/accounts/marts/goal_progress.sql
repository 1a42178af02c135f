{{ config(
    unique_key=['organization_id', 'goal_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id']},
    ],
    meta={'published': {'scope': 'int_accounts_organizations'}},
) }}

{{ published_by(ref('accounts_publications')) }}
