select
    shop as tenant_id,
    customer as customer_id,
    id as order_id,
    'DELIVERED' as order_status,
    delivered_on::timestamptz as ordered_at,
    delivered_on::timestamptz as delivered_at,
    total::numeric as total_amount
from {{ ref('raw_orders') }}
