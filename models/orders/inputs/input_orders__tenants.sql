select
    id as tenant_id,
    slug as tenant_slug,
    name as tenant_name,
    time_zone,
    is_active,
    updated_at
from {{ source('orders', 'tenants') }}
