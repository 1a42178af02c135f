{{ config(post_hook="{{ secure(this) }}") }}

-- Statuses in the operational table. Only sync/ reads this view, and the write-back
-- updates through it, so it is a plain select from one relation, which PostgreSQL can
-- update. The last seven columns are not cast, whatever their types; the write-back
-- converts values to these types.
select {{ columns_of_input('input_orders__customer_statuses') }}
from {{ ref('input_orders__customer_statuses') }}
