-- Whether the caller may see an organization that a refresh of one recomputes.
select organization_slug
from analytics.platform_organizations
where organization_slug = %(organization)s

union

select organization_slug
from analytics.success_organizations
where organization_slug = %(organization)s
