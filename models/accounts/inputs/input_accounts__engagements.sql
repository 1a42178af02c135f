select
    organization_id,
    account_id,
    id as engagement_id,
    type as engagement_type,
    title,
    outcome,
    scheduled_at,
    completed_at,
    attendees,
    created_at,
    updated_at
from {{ source('accounts', 'engagements') }}
