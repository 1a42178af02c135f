{{ config(
    unique_key=['organization_id', 'metric_date'],
    indexes=[{'columns': ['metric_date', 'risk_level']}],
    full_refresh=false,
    meta={'day': 'metric_date'},
) }}

select * from {{ ref('int_tenant_health_scores') }}
