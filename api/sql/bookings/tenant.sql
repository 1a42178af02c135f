-- The key of an organization, by its slug or its id.
select organization_id
from analytics.booking_organizations
where organization_slug = %(tenant)s or organization_id::text = %(tenant)s
-- whose id it is before one that is called so
order by organization_id::text = %(tenant)s desc, organization_id asc
limit 1
