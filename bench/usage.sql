-- Organizations with as many users each as the parameter says, and a usual number of
-- cases, assignments and tickets. Parameters: %(organizations)s, %(users)s, %(until)s.
insert into platform.organizations (id, slug, name, time_zone, created_at, updated_at)
select
    md5('organization ' || number)::uuid,
    'organization-' || number,
    'Organization ' || number,
    (array['Europe/Berlin', 'America/New_York', 'Australia/Sydney'])[number %% 3 + 1],
    %(until)s::timestamptz - interval '3 years',
    %(until)s
from generate_series(1, %(organizations)s) as number;

insert into platform.users (
    id, organization_id, is_enabled, last_login_at, created_at, updated_at
)
select
    gen_random_uuid(),
    organizations.id,
    number %% 20 > 0,
    %(until)s::timestamptz - random() * interval '100 days',
    %(until)s::timestamptz - random() * interval '2 years',
    %(until)s
from platform.organizations
cross join generate_series(1, %(users)s) as number;

insert into platform.cases (id, organization_id, status, closed_at)
select
    gen_random_uuid(),
    organizations.id,
    'CLOSED',
    %(until)s::timestamptz - random() * interval '1 year'
from platform.organizations
cross join generate_series(1, %(users)s / 2) as number;

insert into platform.investigations (
    id, organization_id, case_id, is_primary, sla_status
)
select
    gen_random_uuid(),
    cases.organization_id,
    cases.id,
    number = 1,
    (array['ON_TRACK', 'WARNING', 'OVERDUE'])[1 + floor(3 * random())::integer]
from platform.cases
cross join generate_series(1, 2) as number;

insert into platform.campaigns (id, organization_id, name, starts_at, ends_at)
select
    md5('campaign ' || organizations.slug)::uuid,
    organizations.id,
    'Campaign',
    %(until)s::timestamptz - interval '1 year',
    %(until)s
from platform.organizations;

insert into platform.campaign_assignments (
    id, organization_id, campaign_id, status, due_at
)
select
    gen_random_uuid(),
    organizations.id,
    md5('campaign ' || organizations.slug)::uuid,
    case when random() < 0.7 then 'COMPLETED' else 'OVERDUE' end,
    %(until)s::timestamptz - random() * interval '1 year'
from platform.organizations
cross join generate_series(1, %(users)s) as number;

insert into platform.feature_adoptions (
    organization_id, feature_key, first_used_at, last_used_at
)
select
    organizations.id,
    'feature-' || number,
    %(until)s::timestamptz - interval '1 year',
    %(until)s::timestamptz - random() * interval '60 days'
from platform.organizations
cross join generate_series(1, 20) as number;

insert into platform.support_tickets (id, organization_id, severity, status, created_at)
select
    gen_random_uuid(),
    organizations.id,
    1,
    'RESOLVED',
    %(until)s::timestamptz - random() * interval '1 year'
from platform.organizations
cross join generate_series(1, 50) as number;
