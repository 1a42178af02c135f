select
    organization_id,
    id as assignment_id,
    campaign_id,
    status as assignment_status,
    due_at,
    completed_at,
    updated_at
from {{ source('usage', 'campaign_assignments') }}
