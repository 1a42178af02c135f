-- The organizations with usage that the reader may see, and how old their figures are.
select
    organizations.organization_id,
    organizations.organization_slug,
    coalesce(organizations.organization_name, organizations.organization_slug)
        as organization_name,
    organizations.as_of,
    organizations.today,
    organizations.as_of < now() - interval '48 hours' as is_stale
from analytics.platform_organizations as organizations
order by organizations.organization_slug
