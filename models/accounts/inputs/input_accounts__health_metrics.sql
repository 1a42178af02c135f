select
    organization_id,
    account_id,
    id as metric_id,
    metric_date,
    login_frequency as logins_per_week,
    feature_adoption_score,
    training_completion_rate as training_completion_pct,
    created_at
from {{ source('accounts', 'health_metrics') }}
