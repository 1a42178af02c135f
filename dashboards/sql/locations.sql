-- The locations of an organization, for a filter.
select
    locations.location_id,
    coalesce(locations.location_name, locations.location_id::text) as location_name,
    organizations.organization_slug
from analytics.booking_locations as locations
inner join analytics.booking_organizations as organizations
    on locations.organization_id = organizations.organization_id
where %(organization)s is null or locations.organization_id = %(organization)s
order by location_name, organizations.organization_slug, locations.location_id
