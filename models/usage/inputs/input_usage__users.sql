select
    organization_id,
    id as user_id,
    is_enabled,
    last_login_at,
    created_at,
    updated_at
from {{ source('usage', 'users') }}
