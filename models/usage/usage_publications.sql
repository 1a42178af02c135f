{{ config(materialized='publication') }}

{{ publish('usage', {
    'platform_organizations': ref('int_usage_organizations'),
    'tenant_usage_metrics_daily': ref('int_usage_counts'),
    'tenant_health_factors': ref('int_tenant_health_factors'),
    'tenant_health_scores': ref('int_tenant_health_scores'),
    'usage_quarantined_rows': ref('int_quarantined_rows__usage'),
}) }}
