-- Whether the caller may see the organization that a refresh would recompute.
select organization_slug
from analytics.platform_organizations
where organization_slug = %(organization)s

union

select organization_slug
from analytics.success_organizations
where organization_slug = %(organization)s
