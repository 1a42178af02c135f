-- A contact that was just written down, or was before with the same content: who sends
-- it again, after an error of the network, is told the same.
select
    tenant_id,
    customer_id,
    contact_id,
    contacted_at,
    contacted_by,
    channel,
    outcome,
    note,
    snoozed_until,
    corrects_contact_id,
    recorded_at,
    recorded_by
from operations.customer_contacts
where
    tenant_id = %(tenant_id)s
    and customer_id = %(customer_id)s
    and contact_id = %(contact_id)s
    and contacted_by = %(contacted_by)s
    and channel = %(channel)s
    and outcome = %(outcome)s
    and note is not distinct from %(note)s
    and snoozed_until is not distinct from %(snoozed_until)s
    and corrects_contact_id is not distinct from %(corrects_contact_id)s
    -- who does not say when it took place means the moment of writing
    and (%(contacted_at)s is null or contacted_at = %(contacted_at)s)
