-- nothing is written back here
select
    shop as tenant_id,
    id as customer_id,
    false as is_closed,
    null::text as account_type,
    null::text as risk_status,
    null::date as last_order_date,
    null::date as next_expected_order_date,
    null::integer as average_order_interval_days,
    null::date as dormancy_since,
    null::date as reactivated_date
from {{ ref('raw_customers') }}
