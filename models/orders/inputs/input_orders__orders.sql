select
    tenant_id,
    customer_id,
    id as order_id,
    status as order_status,
    ordered_at,
    delivered_at,
    total_amount,
    currency,
    created_at,
    updated_at
from {{ source('orders', 'orders') }}
