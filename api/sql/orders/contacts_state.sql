-- A value that changes when a contact of a tenant is recorded or erased.
select
    count(*) as contacts_count,
    max(recorded_at) as last_recorded_at
from operations.customer_contacts
where tenant_id = %(tenant_id)s
