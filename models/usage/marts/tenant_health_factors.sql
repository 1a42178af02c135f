{{ config(
    unique_key=['organization_id', 'metric_date', 'component'],
    full_refresh=false,
    meta={'published': {'day': 'metric_date'}},
) }}

{{ published_by(ref('usage_publications')) }}
