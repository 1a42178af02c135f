select
    organization_id,
    id as investigation_id,
    case_id,
    is_primary,
    sla_status,
    updated_at
from {{ source('usage', 'investigations') }}
