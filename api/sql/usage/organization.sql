-- The latest score of one organization.
select *
from analytics.tenant_latest_health
where organization_id = %(organization_id)s
