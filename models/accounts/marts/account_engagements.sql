{{ config(
    unique_key=['organization_id', 'engagement_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'completed_at']},
    ],
    meta={'published': {'scope': 'int_accounts_organizations'}},
) }}

{{ published_by(ref('accounts_publications')) }}
