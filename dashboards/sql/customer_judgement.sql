-- What somebody has said of one customer that holds today, beside its status.
select
    states.snoozed_until,
    states.snooze_outcome
from analytics.customer_contact_states as states
where
    states.tenant_id = %(tenant)s
    and states.customer_id = %(customer)s
    and states.snoozed_until is not null
