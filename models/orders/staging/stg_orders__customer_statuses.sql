{{ config(post_hook="{{ secure(this) }}") }}

-- The statuses as they stand in the operational table. Only sync/ reads this view, and
-- the write-back updates through it: a plain select from one relation, which PostgreSQL
-- lets one update. The last seven are not cast, whatever their types: values are put
-- into these when written.
select {{ columns_of_input('input_orders__customer_statuses') }}
from {{ ref('input_orders__customer_statuses') }}
