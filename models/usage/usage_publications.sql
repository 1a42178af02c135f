{{ config(materialized='publication') }}

{{ publish('usage', [
    ref('platform_organizations'),
    ref('tenant_usage_metrics_daily'),
    ref('tenant_health_factors'),
    ref('tenant_health_scores'),
    ref('usage_quarantined_rows'),
]) }}
