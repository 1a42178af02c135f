{{ config(tags=['nightly']) }}

-- States: a risk status that changes by an order changes on a day with a delivery, and
-- one that changes by time on a day without.
-- Matters: after the publication; pages and reports tell people what made a status
-- change.
-- To resolve: change_cause in customer_status_changes follows from the status that
-- begins; a status that can begin otherwise, too, needs another condition there.
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
