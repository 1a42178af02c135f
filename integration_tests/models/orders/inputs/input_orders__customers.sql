select
    shop as tenant_id,
    id as customer_id,
    name as customer_name,
    false as is_closed
from {{ ref('raw_customers') }}
