select
    organization_id,
    id as campaign_id,
    starts_at,
    ends_at
from {{ source('usage', 'campaigns') }}
