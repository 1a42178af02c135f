select
    tenant_id,
    id as customer_id,
    sales_rep_id,
    name as customer_name,
    email as customer_email,
    is_closed,
    created_at,
    updated_at
from {{ source('orders', 'customers') }}
