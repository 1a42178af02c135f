{{ config(materialized='publication', tags=['tenants']) }}

{{ publish('tenants', [
    ref('platform_organizations'),
    ref('tenants_quarantined_rows'),
], is_daily=true) }}
