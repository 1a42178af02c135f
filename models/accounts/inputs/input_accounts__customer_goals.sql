-- start_value is read from the row as JSON, because the table may not have it.
select
    organization_id,
    account_id,
    id as goal_id,
    title,
    metric_type,
    current_value,
    target_value,
    (to_jsonb(goals) ->> 'start_value')::numeric as start_value,
    unit,
    measurement_period,
    status as reported_status,
    target_date,
    completion_date,
    created_at,
    updated_at
from {{ source('accounts', 'customer_goals') }} as goals
