-- A contact that was just recorded, or earlier with the same content, so that a client
-- that sends it again after a network error gets the same answer.
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
    -- without contacted_at, the contact took place when it was recorded
    and (%(contacted_at)s is null or contacted_at = %(contacted_at)s)
