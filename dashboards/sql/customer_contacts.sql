-- The contacts with one customer, the latest first.
select
    contacts.contact_id,
    contacts.contacted_at,
    contacts.contacted_at at time zone tenants.time_zone as local_contacted_at,
    contacts.contacted_by,
    contacts.channel,
    contacts.outcome,
    contacts.note,
    contacts.snoozed_until,
    contacts.corrects_contact_id is not null as is_corrected
from analytics.effective_contacts as contacts
inner join analytics.tenants
    on contacts.tenant_id = tenants.tenant_id
where
    contacts.tenant_id = %(tenant)s
    and contacts.customer_id = %(customer)s
order by contacts.contacted_at desc, contacts.recorded_at desc, contacts.contact_id desc
