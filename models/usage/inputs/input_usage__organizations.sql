select
    id as organization_id,
    slug as organization_slug,
    name as organization_name,
    time_zone,
    is_active,
    created_at,
    updated_at
from {{ source('usage', 'organizations') }}
