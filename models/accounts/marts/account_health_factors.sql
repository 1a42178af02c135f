{{ config(
    unique_key=['organization_id', 'score_date', 'account_id', 'sub_score'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'score_date']},
    ],
    meta={'published': {
        'scope': 'int_accounts_organizations',
        'day': 'score_date',
        'keep_days': var('account_factor_days'),
    }},
    full_refresh=false,
) }}

{{ published_by(ref('accounts_publications')) }}
