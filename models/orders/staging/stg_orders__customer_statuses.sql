{{ config(post_hook="{{ secure(this) }}") }}

-- The statuses as they stand in the operational table. Only sync/ reads this view, and
-- the write-back updates through it, so that the columns are mapped in one place: keep
-- it a plain select from one table, which PostgreSQL lets one update. The last seven
-- are named and not cast, whatever their types: values are put into these when written.
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
