{{ config(
    unique_key=['organization_id', 'score_date', 'account_id'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'score_date']},
    ],
    meta={'published': {
        'scope': 'int_accounts_organizations',
        'day': 'score_date',
    }},
    full_refresh=false,
) }}

{{ published_by(ref('accounts_publications')) }}
