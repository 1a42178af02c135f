select
    organization_id,
    feature_key,
    first_used_at,
    last_used_at
from {{ source('usage', 'feature_adoptions') }}
