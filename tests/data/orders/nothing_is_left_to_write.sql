{{ config(
    tags=['sanity', 'after_write_back'], meta={'sanity_check': 20}, severity='warn'
) }}

-- States: after a write-back no customer's operational values differ from the marts'.
-- Matters: after a write-back, so it is not part of a refresh; run it by its name. A
-- warning, for rows that were in use or changed meanwhile wait for the next run. Rows
-- that are held are not asked for.
-- To resolve: operations.write_back_changes says in column state why a row was not
-- written.
select *
from {{ ref('pending_customer_updates') }}
where held_because is null
