-- Demo data of the usage system: organizations that use a product more and more,
-- less and less, or no longer, over the last half year.

create temp table demo_platform on commit drop as
select
    names.number,
    names.slug,
    names.zone,
    pg_temp.id('platform organization', names.number::text) as organization_id,
    least(names.known_days, demo.days) as known_days
from demo
cross join (
    values
    (1, 'alder-bank', 'Europe/Berlin', 900),
    (2, 'birch-insurance', 'America/New_York', 700),
    (3, 'cedar-health', 'Australia/Sydney', 800),
    (4, 'dogwood-energy', 'Europe/Berlin', 600),
    (5, 'elm-logistics', 'America/New_York', 500),
    (6, 'fir-telecom', 'Australia/Sydney', 400),
    (7, 'ginkgo-retail', 'Europe/Berlin', 300),
    -- has signed up lately, and has no cases and no campaigns yet
    (8, 'hazel-start', 'America/New_York', 20)
) as names (number, slug, zone, known_days);

insert into platform.organizations (id, slug, name, time_zone, created_at, updated_at)
select
    demo_platform.organization_id,
    demo_platform.slug,
    initcap(replace(demo_platform.slug, '-', ' ')),
    demo_platform.zone,
    demo.until_at - make_interval(days => demo_platform.known_days),
    demo.until_at - make_interval(days => demo_platform.known_days)
from demo
cross join demo_platform;

-- share of the possible activity that takes place: 0 to 1, by organization and days ago
create temp table demo_vigour on commit drop as
select
    demo_platform.number,
    demo_platform.organization_id,
    days_ago,
    case demo_platform.number
        when 1 then 0.92
        -- adoption grows
        when 2 then 0.95 - 0.6 * days_ago / 180
        -- adoption falls
        when 3 then 0.15 + 0.8 * days_ago / 180
        -- left suddenly
        when 4 then case when days_ago < 70 then 0 else 0.75 end
        when 5 then 0.6
        -- a sudden drop
        when 6 then case when days_ago < 18 then 0.1 else 0.85 end
        when 7 then 0.8
        else 0.85
    end as share
from demo_platform
cross join lateral generate_series(
    0, least(180, demo_platform.known_days)
) as days_ago;

insert into platform.users (
    id, organization_id, is_enabled, last_login_at, created_at, updated_at
)
select
    pg_temp.id('platform user', drawn.key::text),
    drawn.organization_id,
    pg_temp.chance(drawn.key, 'is enabled') < 0.95,
    -- a user's last login is on the last day whose share still includes the user
    demo.until_at - make_interval(
        days => seen.days_ago, mins => (drawn.key % 1400)::integer
    ),
    demo.until_at - make_interval(days => drawn.known_days),
    demo.until_at - make_interval(days => coalesce(seen.days_ago, drawn.known_days))
from demo
cross join (
    select
        demo_platform.*,
        demo_platform.number * 1000 + user_number as key
    from demo_platform
    cross join lateral generate_series(
        1, 30 + 10 * demo_platform.number
    ) as user_number
) as drawn
left join lateral (
    select min(demo_vigour.days_ago) as days_ago
    from demo_vigour
    where
        demo_vigour.number = drawn.number
        and demo_vigour.share > pg_temp.chance(drawn.key, 'is there')
) as seen on true;

-- three cases closed a day; one in ten was closed without an investigation
create temp table demo_cases on commit drop as
select
    demo_vigour.organization_id,
    demo_vigour.share,
    demo_vigour.number * 1000000 + demo_vigour.days_ago * 100 + case_number as key,
    demo.until_at
    - make_interval(days => demo_vigour.days_ago, mins => 12 * case_number)
        as closed_at
from demo
cross join demo_vigour
-- on the last day fir-telecom closes 90 cases
cross join
    lateral generate_series(
        1,
        case when demo_vigour.number = 6 and demo_vigour.days_ago = 0 then 90 else 3 end
    ) as case_number
where
    demo_vigour.number < 8
    and demo_vigour.share > 0;

insert into platform.cases (
    id, organization_id, status, created_at, closed_at, updated_at
)
select
    pg_temp.id('platform case', key::text),
    organization_id,
    'CLOSED',
    closed_at - make_interval(days => 5),
    closed_at,
    closed_at
from demo_cases;

insert into platform.investigations (
    id, organization_id, case_id, is_primary, sla_status, updated_at
)
select
    pg_temp.id(
        'platform investigation', demo_cases.key::text || ' ' || investigation::text
    ),
    demo_cases.organization_id,
    pg_temp.id('platform case', demo_cases.key::text),
    investigation = 1 and pg_temp.chance(demo_cases.key, 'has a primary') < 0.8,
    case
        -- one unknown status
        when demo_cases.key = 1000001 then 'LATE'
        when pg_temp.chance(demo_cases.key, 'is on time') > demo_cases.share
            then 'OVERDUE'
        when pg_temp.chance(demo_cases.key, 'is a close run') < 0.2 then 'WARNING'
        else 'ON_TRACK'
    end,
    demo_cases.closed_at
from demo_cases
cross join lateral generate_series(
    1,
    case
        when pg_temp.chance(demo_cases.key, 'is investigated') < 0.1 then 0
        when pg_temp.chance(demo_cases.key, 'is investigated') < 0.7 then 1
        else 2
    end
) as investigation;

-- a campaign a month, with tasks that are due day by day
insert into platform.campaigns (id, organization_id, name, starts_at, ends_at)
select
    pg_temp.id('platform campaign', demo_platform.number::text || ' ' || month::text),
    demo_platform.organization_id,
    concat('Campaign ', 7 - month),
    demo.until_at - make_interval(days => 30 * month),
    demo.until_at - make_interval(days => 30 * month - 30)
from demo
cross join demo_platform
cross join generate_series(0, 6) as month
where
    demo_platform.number < 8;

insert into platform.campaign_assignments (
    id, organization_id, campaign_id, status, due_at, completed_at, updated_at
)
select
    pg_temp.id('platform assignment', drawn.key::text),
    drawn.organization_id,
    pg_temp.id(
        'platform campaign', concat(drawn.number, ' ', ceil(drawn.days_ago / 30.0))
    ),
    case when drawn.is_completed then 'COMPLETED' else 'OVERDUE' end,
    demo.until_at - make_interval(days => drawn.days_ago),
    case
        when drawn.is_completed
            then demo.until_at - make_interval(days => drawn.days_ago, hours => 30)
    end,
    demo.until_at - make_interval(days => drawn.days_ago)
from demo
cross join (
    select
        demo_vigour.*,
        demo_vigour.number * 100000 + demo_vigour.days_ago * 10 + task as key,
        pg_temp.chance(
            demo_vigour.number * 100000 + demo_vigour.days_ago * 10 + task,
            'is completed'
        ) < demo_vigour.share as is_completed
    from demo_vigour
    cross join generate_series(1, 4) as task
) as drawn
where drawn.number between 1 and 7;

-- ten features are tracked; a feature no longer used was last used while the share was
-- high enough
insert into platform.feature_adoptions (
    organization_id, feature_key, first_used_at, last_used_at
)
select
    demo_platform.organization_id,
    'feature-' || feature::text,
    demo.until_at - make_interval(days => used.first_days_ago),
    demo.until_at - make_interval(days => used.last_days_ago)
from demo
cross join demo_platform
cross join generate_series(1, 10) as feature
left join lateral (
    select
        max(demo_vigour.days_ago) as first_days_ago,
        min(demo_vigour.days_ago) as last_days_ago
    from demo_vigour
    where
        demo_vigour.number = demo_platform.number
        and demo_vigour.share > feature / 11.0
) as used on true;

insert into platform.support_tickets (
    id, organization_id, severity, status, created_at, resolved_at
)
select
    pg_temp.id('platform ticket', drawn.key::text),
    drawn.organization_id,
    1 + drawn.key % 4,
    'RESOLVED',
    demo.until_at - make_interval(days => drawn.days_ago, hours => 5),
    demo.until_at - make_interval(days => drawn.days_ago)
from demo
cross join (
    select
        *,
        number * 1000 + days_ago as key
    from demo_vigour
) as drawn
where
    pg_temp.chance(drawn.key, 'is troubled')
    < case drawn.number
        when 7 then 0.4 when 4 then 0 else 0.15 * (1 - drawn.share)
    end;
