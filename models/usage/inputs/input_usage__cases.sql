select
    organization_id,
    id as case_id,
    created_at,
    closed_at,
    updated_at
from {{ source('usage', 'cases') }}
