-- Demo data of the accounts system: accounts that thrive, fade, have just begun or have
-- left, with 120 days of metrics and engagements, and odd rows.

insert into success.organizations (id, slug, name, time_zone, created_at, updated_at)
select
    pg_temp.id('success organization', names.number::text),
    names.slug,
    initcap(replace(names.slug, '-', ' ')),
    (array['Europe/Berlin', 'America/New_York'])[names.number],
    demo.until_day - make_interval(days => demo.days),
    demo.until_day - make_interval(days => demo.days)
from demo
cross join (
    values (1, 'beacon-software'), (2, 'compass-cloud')
) as names (number, slug);

create temp table demo_accounts on commit drop as
with drawn as (
    select
        number,
        pg_temp.id('account', number::text) as id,
        case
            when pg_temp.chance(number, 'account organization') < 0.65 then 1 else 2
        end as organization,
        pg_temp.chance(number, 'account kind') as kind_drawn,
        pg_temp.chance(number, 'account level') as level_drawn,
        pg_temp.chance(number, 'account renewal') as renewal_drawn,
        pg_temp.chance(number, 'account size') as size_drawn,
        pg_temp.chance(number, 'account industry') as industry_drawn,
        pg_temp.chance(number, 'account arr') as arr_drawn,
        demo.until_at,
        demo.until_day,
        demo.days
    from demo
    cross join lateral generate_series(
        1, least(500, greatest(30, demo.customers / 25))
    ) as number
)

select
    *,
    case
        when kind_drawn < 0.42 then 'steady'
        when kind_drawn < 0.56 then 'rising'
        when kind_drawn < 0.72 then 'fading'
        when kind_drawn < 0.80 then 'silent'
        when kind_drawn < 0.89 then 'new'
        when kind_drawn < 0.94 then 'churned'
        when kind_drawn < 0.98 then 'not measured'
        else 'archived'
    end as kind,
    case
        when kind_drawn between 0.80 and 0.89 then 12 + (60 * level_drawn)::integer
        else 150 + floor((days - 150) * level_drawn)::integer
    end as age
from drawn;

insert into success.accounts (
    id, organization_id, name, industry, size, arr, status, health_score,
    churn_risk_score, renewal_on, archived_at, created_at, updated_at
)
select
    id,
    pg_temp.id('success organization', organization::text),
    (array[
        'Aurora', 'Basalt', 'Cobalt', 'Delta', 'Ember', 'Fjord', 'Granite', 'Harbor',
        'Indigo', 'Juniper', 'Kestrel', 'Lumen', 'Meridian', 'Nimbus', 'Orchid', 'Pine'
    ])[(number - 1) % 16 + 1]
    || ' '
    || (array['Labs', 'Foods', 'Bank', 'Logistics', 'Health', 'Media', 'Energy'])[
        (number - 1) % 7 + 1
    ]
    || case when number > 112 then ' ' || number::text else '' end,
    case
        when industry_drawn < 0.95
            then
                (array['Finance', 'Retail', 'Healthcare', 'Logistics', 'Media'])[
                    floor(industry_drawn * 5)::integer + 1
                ]
    end,
    (array['startup', 'small', 'medium', 'large', 'enterprise'])[
        floor(size_drawn * 5)::integer + 1
    ],
    case
        when kind != 'not measured'
            then round((2000 + 60000 * arr_drawn * (0.3 + size_drawn))::numeric, -2)
    end,
    case kind
        when 'churned' then 'churned'
        when 'new' then 'onboarding'
        -- the source calls only some of the fading accounts at_risk
        when 'silent' then case when level_drawn < 0.4 then 'at_risk' else 'active' end
        else 'active'
    end,
    40 + floor(50 * level_drawn)::integer,
    10 + floor(50 * (1 - level_drawn))::integer,
    case
        when kind != 'not measured'
            then
                until_day::date + case kind
                    when 'fading' then 5 + floor(140 * renewal_drawn)::integer
                    when 'churned' then -10
                    else 20 + floor(330 * renewal_drawn)::integer
                end
    end,
    case when kind = 'archived' then until_day - interval '20 days' end,
    until_day - make_interval(days => age),
    until_day - make_interval(days => least(age, 3))
from demo_accounts;

-- measured every night, except unmeasured accounts
insert into success.health_metrics (
    id, organization_id, account_id, metric_date, login_frequency,
    feature_adoption_score, support_tickets, training_completion_rate,
    overall_health_score, created_at
)
select
    pg_temp.id('metric', number::text || '/' || day::text),
    pg_temp.id('success organization', organization::text),
    id,
    until_day::date - day,
    greatest(0, round(level * 6 + pg_temp.chance(number * 1000 + day, 'logins') - 0.5)),
    least(100, greatest(0, round(
        100 * level + 6 * (pg_temp.chance(number * 1000 + day, 'adoption') - 0.5)
    ))),
    0,
    case
        -- some have no trainings
        when size_drawn > 0.15
            then
                least(100, greatest(
                    0, round((90 * level_drawn + 20 * (120 - day) / 120.0)::numeric, 2)
                ))
    end,
    least(100, greatest(0, round(100 * level))),
    until_day - make_interval(days => day) + interval '2 hours'
from demo_accounts
cross join generate_series(0, 120) as day
cross join
    lateral (
        select
            least(1, greatest(0, case kind
                when 'rising' then 0.9 - 0.5 * day / 120.0
                when 'fading' then 0.15 + 0.3 * level_drawn + 0.5 * day / 120.0
                when 'silent' then 0.1 + 0.2 * level_drawn
                when 'new' then 0.7 - 0.6 * least(day, age) / age
                else 0.55 + 0.4 * level_drawn
            end)) as level
    ) as levels
where
    kind != 'not measured'
    and day < age
    and (kind != 'churned' or day > 40);

-- most have an engagement every week or two; fading ones have fewer and fewer
insert into success.engagements (
    id, organization_id, account_id, type, title, outcome, scheduled_at, completed_at,
    attendees, created_at, updated_at
)
select
    pg_temp.id('engagement', number::text || '/' || step::text),
    pg_temp.id('success organization', organization::text),
    id,
    type,
    case
        when kind = 'fading' and step = 3 then 'They look at a competitor'
        else
            (array[
                'Quarterly review', 'Check-in', 'Roadmap', 'Open questions', 'Workshop'
            ])[floor(title_drawn * 5)::integer + 1]
    end,
    case
        when day < 0 or type = 'note' then null
        when outcome_drawn < case kind when 'fading' then 0.25 else 0.6 end
            then 'positive'
        when outcome_drawn < 0.8 then 'neutral'
        when outcome_drawn < 0.92 then 'action_required'
        else 'negative'
    end,
    until_day - make_interval(days => day),
    case
        when day >= 0
            then
                least(
                    until_day - make_interval(days => day)
                    + make_interval(hours => 8 + floor(9 * title_drawn)::integer),
                    until_at
                )
    end,
    (
        select
            jsonb_agg(
                jsonb_build_object(
                    'name',
                    (array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan'])[person],
                    'email',
                    lower((array['Ada', 'Grace', 'Edsger', 'Barbara', 'Alan'])[person])
                    || '@account-' || number::text || '.example'
                ) order by person
            )
        from generate_series(1, 1 + floor(4 * outcome_drawn * level_drawn)::integer)
            as person
    ),
    until_day - make_interval(days => greatest(day, 0) + 5),
    until_day - make_interval(days => greatest(day, 0))
from demo_accounts
cross join generate_series(0, 40) as step
cross join
    lateral (
        select
            pg_temp.chance(number * 100 + step, 'engagement outcome') as outcome_drawn,
            pg_temp.chance(number * 100 + step, 'engagement title') as title_drawn,
            (array['meeting', 'call', 'email', 'note', 'demo', 'training'])[
                1
                + floor(
                    6 * pg_temp.chance(number * 100 + step, 'engagement type')
                )::integer
            ] as type,
            case kind
            -- the first one is in the future: it is planned
                when 'steady' then -6 + step * (6 + floor(6 * renewal_drawn)::integer)
                when 'rising' then -3 + step * 6
                when 'fading' then 16 + (4 + step) * step
                when 'silent' then 35 + step * 25
                when 'new' then -4 + step * 5
                when 'churned' then 45 + step * 12
                when 'archived' then 30 + step * 9
                else 2 + step * 20
            end as day
    ) as planned
where
    day < least(age, 150);

insert into success.support_tickets (
    id, organization_id, account_id, severity, status, is_escalated, csat, created_at,
    resolved_at
)
select
    pg_temp.id('success ticket', number::text || '/' || step::text),
    pg_temp.id('success organization', organization::text),
    id,
    floor(5 * severity_drawn)::integer,
    case when is_open then 'open' else 'resolved' end,
    severity_drawn > 0.85 and kind in ('fading', 'silent'),
    case
        when not is_open and severity_drawn > 0.3
            then
                case kind when 'fading' then 1 else 3 end
                + floor(2.99 * level_drawn)::integer
    end,
    opened_at,
    case
        when not is_open
            then
                opened_at
                + make_interval(
                    hours => 4 + floor(
                        case kind when 'fading' then 90 else 40 end * severity_drawn
                    )::integer
                )
    end
from demo_accounts
cross join generate_series(0, 11) as step
cross join
    lateral (
        select
            pg_temp.chance(number * 100 + step, 'ticket severity') as severity_drawn,
            until_day - make_interval(
                days => floor(
                    (step + pg_temp.chance(number * 100 + step, 'ticket day'))
                    * case kind when 'fading' then 6 when 'silent' then 9 else 25 end
                )::integer,
                hours => 6
            ) as opened_at
    ) as opened
cross join
    lateral (
        select
            step < 2
            and (
                kind in ('fading', 'silent')
                or opened_at > until_day - interval '5 days'
            )
                as is_open
    ) as state
where
    opened_at > until_day - make_interval(days => least(age, 150))
    and kind not in ('churned', 'not measured');

insert into success.invoices (id, organization_id, account_id, due_on, paid_on, amount)
select
    pg_temp.id('success invoice', number::text || '/' || month::text),
    pg_temp.id('success organization', organization::text),
    id,
    due_on,
    case
        -- paid late, or not yet
        when kind in ('fading', 'silent') and month = 0 then null
        when kind in ('fading', 'silent') and level_drawn < 0.5 and month = 1 then null
        when paid_drawn < 0.8 then due_on - floor(10 * paid_drawn)::integer
        when due_on + 20 < until_day::date then due_on + floor(20 * paid_drawn)::integer
    end,
    round((200 + 5000 * arr_drawn)::numeric, 2)
from demo_accounts
cross join generate_series(0, 5) as month
cross join
    lateral (
        select
            until_day::date - month * 30 - floor(25 * arr_drawn)::integer as due_on,
            pg_temp.chance(number * 100 + month, 'invoice paid') as paid_drawn
    ) as dated
where
    kind != 'not measured'
    and month * 30 + 30 < age;

insert into success.customer_goals (
    id, organization_id, account_id, title, metric_type, current_value, target_value,
    unit, measurement_period, status, target_date, completion_date, created_at,
    updated_at
)
select
    pg_temp.id('goal', number::text || '/' || goal::text),
    pg_temp.id('success organization', organization::text),
    id,
    (array['Teams that work with it', 'Hours saved', 'Reports automated'])[goal],
    (array['adoption', 'efficiency', 'automation'])[goal],
    round((target * done)::numeric, 2),
    target,
    (array['teams', 'hours', 'reports'])[goal],
    'monthly',
    'on_track',
    until_day::date - started + length,
    case
        when done >= 1
            then
                until_day::date - started
                + least(started, floor(length * 0.9)::integer)
    end,
    until_day - make_interval(days => started),
    until_day - interval '2 days'
from demo_accounts
cross join generate_series(1, 3) as goal
cross join
    lateral (
        select
            (array[12, 400, 30])[goal] as target,
            least(
                age - 1, 40
                + floor(100 * pg_temp.chance(number * 10 + goal, 'goal start'))
                ::integer
            ) as started,
            90 + 30 * goal as length,
            pg_temp.chance(number * 10 + goal, 'goal pace') as pace_drawn
    ) as drawn
cross join
    lateral (
        select
            least(1.1, (started::numeric / length) * case kind
                when 'rising' then 0.9 + 0.6 * pace_drawn
                when 'fading' then 0.5 * pace_drawn
                when 'silent' then 0.3 * pace_drawn
                else 0.6 + 0.7 * pace_drawn
            end) as done
    ) as progressed
where
    kind not in ('not measured')
    and pg_temp.chance(number * 10 + goal, 'goal') < 0.7;

-- odd: measured twice on one day; a severity below zero
insert into success.health_metrics (
    id, organization_id, account_id, metric_date, login_frequency,
    feature_adoption_score, training_completion_rate, created_at
)
select
    pg_temp.id('metric again', number::text),
    pg_temp.id('success organization', organization::text),
    id,
    until_day::date - 1,
    4,
    70,
    50,
    until_day - interval '12 hours'
from demo_accounts
where
    number % 10 = 3
    and kind = 'steady';

insert into success.support_tickets (
    id, organization_id, account_id, severity, status, created_at
)
select
    pg_temp.id('ticket odd', number::text),
    pg_temp.id('success organization', organization::text),
    id,
    -1,
    'open',
    until_day - interval '4 days'
from demo_accounts
where number = 5;

analyze success.organizations, success.accounts, success.engagements,
success.health_metrics, success.support_tickets, success.invoices,
success.customer_goals;
