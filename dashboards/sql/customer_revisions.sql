-- Refreshes after one day and up to another that revised what the refresh before had
-- said about one customer.
select
    revisions.revised_at,
    revisions.said_at,
    revisions.status_before,
    revisions.status_now,
    revisions.revision_cause
from analytics.customer_status_revisions as revisions
inner join analytics.tenants
    on revisions.tenant_id = tenants.tenant_id
where
    revisions.tenant_id = %(tenant)s
    and revisions.customer_id = %(customer)s
    and (revisions.revised_at at time zone tenants.time_zone)::date > %(from_day)s
    and (revisions.revised_at at time zone tenants.time_zone)::date <= %(to_day)s
order by revisions.revised_at
