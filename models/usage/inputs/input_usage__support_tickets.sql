select
    organization_id,
    id as ticket_id,
    created_at
from {{ source('usage', 'support_tickets') }}
