select
    organization_id,
    account_id,
    id as ticket_id,
    severity,
    status as ticket_status,
    is_escalated,
    csat as satisfaction,
    created_at,
    resolved_at
from {{ source('accounts', 'support_tickets') }}
