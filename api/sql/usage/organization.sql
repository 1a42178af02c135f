-- The latest score of one organization.
select latest.*
from analytics.tenant_latest_health as latest
where organization_id = %(organization_id)s
