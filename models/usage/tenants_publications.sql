{{ config(materialized='publication') }}

{{ publish('tenants', [
    ref('platform_organizations'),
    ref('tenant_usage_metrics_daily'),
    ref('tenant_health_factors'),
    ref('tenant_health_scores'),
    ref('tenants_quarantined_rows'),
], is_daily=true) }}
