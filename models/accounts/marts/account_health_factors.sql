{{ config(
    unique_key=['organization_id', 'score_date', 'account_id', 'sub_score'],
    indexes=[
        {'columns': ['organization_id', 'account_id', 'score_date']},
    ],
    meta={
        'scope': 'int_accounts_organizations',
        'scope_key': ['organization_id'],
        'day': 'score_date',
        'keep_days': var('account_factor_days'),
    },
    full_refresh=false,
) }}

select * from {{ ref('int_account_health_factors') }}
