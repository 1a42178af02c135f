{{ config(
    unique_key=['organization_id', 'metric_date'],
    indexes=[{'columns': ['metric_date', 'risk_level']}],
    full_refresh=false,
    meta={'published': {'day': 'metric_date'}},
) }}

{{ published_by(ref('usage_publications')) }}
