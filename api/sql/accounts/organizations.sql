-- The organizations that the caller may see.
with organizations as not materialized (
    select
        organizations.organization_id,
        organizations.organization_slug,
        organizations.organization_name,
        organizations.time_zone,
        organizations.today
    from analytics.success_organizations as organizations
)

select
    *,
    (select count(*) from organizations) as total
from organizations
order by organization_slug, organization_id
limit %(limit)s offset %(offset)s
