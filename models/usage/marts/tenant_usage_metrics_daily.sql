{{ config(
    unique_key=['organization_id', 'metric_date'],
    full_refresh=false,
    meta={'published': {'day': 'metric_date'}},
) }}

{{ published_by(ref('usage_publications')) }}
