-- Accounts of 50 organizations with years of daily metrics, an engagement every two
-- weeks, a ticket and an invoice every month, and a goal.
insert into success.organizations (id, slug, name, time_zone)
select
    md5('organization' || number)::uuid,
    'organization-' || number,
    'Organization',
    'UTC'
from generate_series(1, 50) as number;

create temp table bench_accounts as
select
    number,
    md5('account' || number)::uuid as id,
    md5('organization' || number %% 50 + 1)::uuid as organization_id,
    number %% 97 / 97.0 as level,
    %(until)s::date as until_day
from generate_series(1, %(accounts)s) as number;

insert into success.accounts (
    id, organization_id, name, industry, size, arr, status, renewal_on, created_at
)
select
    id,
    organization_id,
    'Account ' || number,
    'Industry ' || number %% 8,
    (array['startup', 'small', 'medium', 'large', 'enterprise'])[number %% 5 + 1],
    1000 + number %% 5000,
    'active',
    until_day + number %% 300,
    until_day - 800
from bench_accounts;

insert into success.health_metrics (
    id, organization_id, account_id, metric_date, login_frequency,
    feature_adoption_score, training_completion_rate, created_at
)
select
    gen_random_uuid(),
    organization_id,
    id,
    until_day - day,
    (number + day) %% 8,
    (100 * level)::integer,
    (number + day) %% 101,
    until_day - day
from generate_series(%(days)s - 1, 0, -1) as day
cross join bench_accounts;

insert into success.engagements (
    id, organization_id, account_id, type, title, outcome, completed_at, attendees,
    created_at
)
select
    gen_random_uuid(),
    organization_id,
    id,
    (array['meeting', 'call', 'email', 'note', 'demo', 'training'])[step %% 6 + 1],
    'Review',
    (array['positive', 'neutral', 'negative', 'action_required'])[step %% 4 + 1],
    until_day - (step * 14 + number %% 14),
    jsonb_build_array('ada', 'person ' || step %% 5),
    until_day - 800
from generate_series(0, %(days)s / 14) as step
cross join bench_accounts;

insert into success.support_tickets (
    id, organization_id, account_id, severity, status, is_escalated, csat, created_at,
    resolved_at
)
select
    gen_random_uuid(),
    organization_id,
    id,
    (number + step) %% 5,
    'resolved',
    false,
    number %% 6,
    until_day - (step * 30 + number %% 30),
    until_day - (step * 30 + number %% 30) + interval '30 hours'
from generate_series(0, %(days)s / 30) as step
cross join bench_accounts;

insert into success.invoices (id, organization_id, account_id, due_on, paid_on, amount)
select
    gen_random_uuid(),
    organization_id,
    id,
    until_day - (step * 30 + number %% 30),
    until_day - (step * 30 + number %% 30),
    100
from generate_series(0, %(days)s / 30) as step
cross join bench_accounts;

insert into success.customer_goals (
    id, organization_id, account_id, title, current_value, target_value, target_date,
    created_at
)
select
    gen_random_uuid(),
    organization_id,
    id,
    'Goal',
    number %% 100,
    100,
    until_day + 60,
    until_day - 60
from bench_accounts;
