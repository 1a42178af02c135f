-- What somebody has noted about one customer and still applies today.
select
    states.snoozed_until,
    states.snooze_outcome
from analytics.customer_contact_states as states
where
    states.tenant_id = %(tenant)s
    and states.customer_id = %(customer)s
    and states.snoozed_until is not null
