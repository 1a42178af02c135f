{{ config(
    unique_key=['organization_id', 'metric_date'],
    full_refresh=false,
    meta={'day': 'metric_date'},
) }}

select * from {{ ref('int_usage_counts') }}
