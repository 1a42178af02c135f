-- The write-back updates through this view: keep it a plain select from one table, and
-- do not cast the last seven columns, whatever their types.
select
    tenant_id,
    id as customer_id,
    is_closed,
    account_type,
    risk_status,
    last_order_date,
    next_expected_order_date,
    average_order_interval_days,
    dormancy_since,
    reactivated_date
from {{ source('orders', 'customers') }}
