{{ config(
    unique_key=['organization_id'],
    meta={'published': {'scope': 'int_usage_organizations'}},
) }}

{{ published_by(ref('usage_publications')) }}
