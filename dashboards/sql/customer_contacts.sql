-- The contacts with one customer, the latest first.
select
    contact_id,
    contacted_at,
    contacted_by,
    channel,
    outcome,
    note,
    snoozed_until,
    corrects_contact_id is not null as is_corrected
from analytics.effective_contacts
where
    tenant_id = %(tenant)s
    and customer_id = %(customer)s
order by contacted_at desc, recorded_at desc, contact_id desc
