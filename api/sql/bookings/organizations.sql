-- The organizations that the caller may see, with their thresholds.
with organizations as not materialized (
    select
        organizations.organization_id,
        organizations.organization_slug,
        organizations.organization_name,
        organizations.time_zone,
        organizations.today,
        organizations.threshold_row,
        organizations.segment_new_days,
        organizations.segment_active_days,
        organizations.segment_at_risk_days
    from analytics.booking_organizations as organizations
)

select
    *,
    (select count(*) from organizations) as total
from organizations
order by organization_slug, organization_id
limit %(limit)s offset %(offset)s
