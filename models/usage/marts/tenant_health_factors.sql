{{ config(
    unique_key=['organization_id', 'metric_date', 'component'],
    full_refresh=false,
    meta={'day': 'metric_date'},
) }}

select * from {{ ref('int_tenant_health_factors') }}
