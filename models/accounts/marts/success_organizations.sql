{{ config(
    unique_key=['organization_id'],
    meta={'published': {'scope': 'int_accounts_organizations'}},
) }}

{{ published_by(ref('accounts_publications')) }}
