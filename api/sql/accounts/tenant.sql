-- The key of an organization, by its slug or its id, and how old its figures are.
select
    organization_id,
    as_of
from analytics.success_organizations
-- a cast of char(n) to text loses its blanks
where organization_slug = %(tenant)s or organization_id::text = rtrim(%(tenant)s)
-- a match by id comes before a match by slug
order by organization_id::text = rtrim(%(tenant)s) desc, organization_id asc
limit 1
