select
    organization_id,
    id as location_id,
    name as location_name,
    time_zone,
    updated_at
from {{ source('bookings', 'locations') }}
