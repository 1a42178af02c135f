{{ config(tags=['nightly']) }}

-- States: a risk status that changes because of an order changes on a day with a
-- delivery; one that changes because of time, on a day without.
-- Matters: after the publication; pages and reports tell people why a status changed.
-- To resolve: customer_status_changes derives change_cause from the new status; if that
-- status can also begin for another reason, add a condition there.
select
    changes.tenant_id,
    changes.customer_id,
    changes.changed_on,
    changes.to_status,
    changes.change_cause
from {{ ref('customer_status_changes') }} as changes
left join {{ ref('customer_order_days') }} as order_days
    on
        changes.tenant_id = order_days.tenant_id
        and changes.customer_id = order_days.customer_id
        and changes.changed_on = order_days.delivered_on
where
    changes.status_kind = 'risk_status'
    and (changes.change_cause = 'ORDER') != (order_days.delivered_on is not null)
