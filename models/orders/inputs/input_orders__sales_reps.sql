select
    tenant_id,
    id as sales_rep_id,
    name as sales_rep_name,
    email as sales_rep_email,
    is_active,
    updated_at
from {{ source('orders', 'sales_reps') }}
