select
    organization_id,
    id as account_id,
    name as account_name,
    industry,
    size as account_size,
    arr,
    status as reported_status,
    health_score as reported_health_score,
    churn_risk_score as reported_churn_risk_score,
    renewal_on,
    archived_at,
    created_at,
    updated_at
from {{ source('accounts', 'accounts') }}
