{{ config(
    tags=['sanity', 'after_write_back'], meta={'sanity_check': 20}, severity='warn'
) }}

-- States: after a write-back no customer's operational values differ from the marts'.
-- Matters: after a write-back, so it is not part of a refresh; run it by name. A
-- warning, because rows that were locked or changed meanwhile wait for the next run.
-- Held rows are ignored.
-- To resolve: the column state of operations.write_back_changes says why a row was not
-- written.
select *
from {{ ref('pending_customer_updates') }}
where held_because is null
