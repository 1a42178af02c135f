-- A value that changes when a contact of a tenant is recorded or erased.
select
    count(*) as contacts_count,
    max(recorded_at) as last_recorded_at
from operations.customer_contacts
where
    tenant_id in (
        select tenants.tenant_id
        from analytics.tenants
        where tenants.tenant_slug = %(tenant)s or tenants.tenant_id::text = %(tenant)s
    )
