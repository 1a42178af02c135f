select
    id as organization_id,
    slug as organization_slug,
    name as organization_name,
    time_zone,
    is_active,
    updated_at
from {{ source('bookings', 'organizations') }}
