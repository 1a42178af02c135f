-- Alerts: episodes, a message when one begins or ends, and how a sender claims it. The
-- view alert_states says what the alerts are. This file decides when to send each, so
-- that it is sent once.

create table if not exists operations.alert_tenants (
    subject_kind text not null,
    tenant_id text not null,
    judged_as_of timestamptz not null,
    primary key (subject_kind, tenant_id)
);
comment on table operations.alert_tenants is
'customer_health: One row per tenant whose customers were assessed (subject_kind:
customer) and organization whose accounts were (account). judged_as_of: as_of of the
latest assessment, the same for all.';

create table if not exists operations.alert_rounds (
    log_id bigint primary key
);
comment on table operations.alert_rounds is
'customer_health: At most one row. log_id: the last run in application_logs whose
results are known to raise_alerts.';

create table if not exists operations.alert_episodes (
    episode_id bigint generated always as identity primary key,
    kind text not null,
    subject_kind text not null,
    tenant_id text not null,
    subject text not null,
    is_told boolean not null,
    opened_at timestamptz not null default now(),
    closed_at timestamptz
);
comment on table operations.alert_episodes is
'customer_health: One row per time that a state lasted: open until it ends. is_told is
false if the state already held when its tenant was first seen.';
create unique index if not exists alert_episodes__open
on operations.alert_episodes (kind, tenant_id, subject) where closed_at is null;

create table if not exists operations.alert_outbox (
    message_id uuid primary key default gen_random_uuid(),
    episode_id bigint,
    edge text not null,
    kind text not null,
    tenant_slug text not null,
    subject text not null,
    message text not null,
    events_count bigint not null default 1,
    details jsonb not null,
    digest_id uuid,
    state text not null default 'pending',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    error text,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    unique (episode_id, edge)
);
comment on table operations.alert_outbox is
'customer_health: One row per message. edge: raised or recovered. state: pending (to be
sent, or sent again after a refusal), digested (part of the message digest_id), sending,
sent, failed (refused too often), unknown (may have arrived, so it is never sent
again), passed_on (sent to the team only as part of a row of message_outbox), expired
(nobody could be told for message_news_days).';
create index if not exists alert_outbox__waiting
on operations.alert_outbox (next_attempt_at) where state in ('pending', 'sending');
create index if not exists alert_outbox__created_at
on operations.alert_outbox (created_at);

-- if somebody dropped the episodes: continue after the numbers in the messages
select
    setval(
        pg_get_serial_sequence('operations.alert_episodes', 'episode_id'),
        max(numbers.episode_id)
    )
from (
    select episode_id from operations.alert_outbox
    union all
    select nextval(pg_get_serial_sequence('operations.alert_episodes', 'episode_id'))
) as numbers;

create or replace view operations.refresh_alert_states
with (security_invoker = true) as
select
    'REFRESH_OVERDUE' as kind,
    'job' as subject_kind,
    '' as tenant_id,
    '' as tenant_slug,
    'refresh' as subject,
    is_overdue as is_on,
    case
        when not is_overdue then 'a refresh has succeeded again'
        else
            coalesce(
                'no refresh has succeeded since ' || to_char(
                    last_success_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'
                ),
                'no refresh has succeeded yet'
            )
    end as message,
    jsonb_build_object('last_success_at', last_success_at) as details
from operations.refresh_health
where is_overdue is not null

union all

select
    'REFRESH_FAILED' as kind,
    'job' as subject_kind,
    '' as tenant_id,
    '' as tenant_slug,
    streaks.job as subject,
    streaks.failures_in_a_row >= {{ refresh_failed_runs }} as is_on,
    case
        when streaks.failures_in_a_row = 0 then streaks.job || ' succeeds again'
        else
            streaks.job || ' has failed ' || streaks.failures_in_a_row::text
            || ' times in a row: ' || coalesce(streaks.error, streaks.status)
    end as message,
    jsonb_build_object(
        'failures_in_a_row', streaks.failures_in_a_row,
        'status', streaks.status,
        'error', streaks.error,
        'last_run_at', streaks.last_run_at
    ) as details
from (
    select
        job,
        -- not a held write-back: the marts are right, and it has its own kind of alert
        coalesce(
            min(age_rank) filter (where status in ('success', 'held')) - 1, count(*)
        ) as failures_in_a_row,
        max(status) filter (where age_rank = 1) as status,
        max(error) filter (where age_rank = 1) as error,
        max(created_at) as last_run_at
    from (
        -- not refresh_organization: whoever starts it sees the outcome
        select
            jobs.job,
            last_runs.*,
            row_number() over (
                partition by jobs.job
                order by last_runs.created_at desc, last_runs.log_id desc
            ) as age_rank
        from (values ('refresh_hourly'), ('refresh_nightly')) as jobs (job)
        cross join
            -- enough runs to count the failures in a row
            lateral (
                select
                    run.status,
                    run.payload ->> 'error' as error,
                    run.created_at,
                    run.log_id
                from operations.application_logs as run
                where
                    run.payload ->> 'cron_name' = jobs.job
                    and run.status != 'running'
                    -- not those of a clock that was ahead
                    and run.created_at <= now()
                order by run.created_at desc, run.log_id desc
                limit greatest({{ refresh_failed_runs }}, 100)
            ) as last_runs
    ) as runs
    group by job
) as streaks;
comment on view operations.refresh_alert_states is
'customer_health: One row per job and kind in the columns of alert_states: whether no
refresh has succeeded lately, and whether the last runs of a job have failed.';

create or replace function operations.raise_alerts(
    after_runs_only boolean default false
)
returns void
language plpgsql as $raise$
declare
    marts_as_of timestamptz;
    is_judged boolean := false;
    last_run bigint;
    agrees boolean;
    -- as JSON, the only customers that can have another state; NULL: all
    asked text;
    tenants_there text[];
    organizations_there text[];
    clock record;
    tenant record;
    many record;
begin
    -- one run at a time: two would see the same edge
    perform set_config('lock_timeout', '1min', true);
    perform pg_advisory_xact_lock(hashtext('customer_health_raise_alerts'));
    perform set_config('lock_timeout', '0', true);

    create temporary table states on commit drop as
    select * from operations.refresh_alert_states;

    -- marts that somebody computed for a past or future day are not news
    if
        to_regclass('operations.alert_states') is not null
        -- missing while our views are detached; the news is sent afterwards
        and to_regclass('operations.customer_revenues') is not null
    then
        -- as_of of the orders or, without orders, of the accounts
        select coalesce(
            (select max(as_of) from analytics.tenants),
            (select max(as_of) from analytics.success_organizations)
        ) into marts_as_of;
        -- a clock that was ahead, and is right again: otherwise nothing would be judged
        -- until that instant
        update operations.alert_tenants set judged_as_of = least(marts_as_of, now())
        where judged_as_of > now();
        select coalesce(marts_as_of <= now() and marts_as_of >= max(judged_as_of), true)
            into is_judged from operations.alert_tenants;
    end if;
    -- of runs that had nothing to do, only the first in a row may bring news: a
    -- write-back that is held
    select log_id into last_run
    from operations.application_logs
    where
        status != 'running'
        and coalesce((payload -> 'runs_count')::integer, 1) = 1
    order by log_id desc
    limit 1;
    if after_runs_only and is_judged then
        is_judged := not exists (
            select from operations.alert_rounds
            where
                log_id >= last_run
                -- a log that was dropped counts from 1 again
                and log_id <= (select max(log_id) from operations.application_logs)
        );
    end if;
    create temporary table judged (
        kind text, tenant_id text, subject text, is_on boolean, is_gone boolean
    ) on commit drop;
    if is_judged then
        -- if the last run left no customer that differs, it held nothing, and comparing
        -- all customers once more would only show that. Any run: if nobody looked after
        -- the first held one, a later one still says so
        select payload -> 'agrees' = 'true' into agrees
        from operations.application_logs
        where status != 'running'
        order by log_id desc
        limit 1;
        create temporary table given (
            kind text, subject_kind text, tenant_id text, subject text, is_on boolean
        ) on commit drop;
        execute format(
            $given$
            insert into given
            select
                kind,
                subject_kind,
                tenant_id,
                subject,
                is_on
            from operations.alert_states
            -- constants, which leave out parts of the view
            where subject_kind = 'tenant' and kind != %L
            $given$,
            case when agrees then 'GUARD_TRIPPED' else '' end
        );
        if agrees then
            insert into given
            select
                kind,
                subject_kind,
                tenant_id,
                subject,
                false
            from operations.alert_episodes
            where
                kind = 'GUARD_TRIPPED'
                and closed_at is null;
        end if;

        -- if there was one hourly refresh since, and no feed has fallen silent or
        -- arrives again
        if after_runs_only then
            select operations.recomputed_customers(runs.logid) into asked
            from operations.application_logs as runs
            cross join operations.alert_rounds as judged_before
            where
                runs.log_id = last_run
                and not exists (
                    select
                    from operations.application_logs as others
                    where
                        others.log_id > judged_before.log_id
                        and others.log_id < last_run
                        and coalesce((others.payload -> 'runs_count')::integer, 1) = 1
                )
                and not exists (
                    select
                    from given
                    left join operations.alert_episodes as episodes
                        on
                            given.kind = episodes.kind
                            and given.tenant_id = episodes.tenant_id
                            and episodes.closed_at is null
                    where
                        given.kind = 'FEED_SILENT'
                        and given.is_on != (episodes.kind is not null)
                );
        end if;
        perform set_config(
            'customer_health.alerted_customers', coalesce(asked, ''), true
        );
        execute format(
            $given$
            insert into given
            select
                kind,
                subject_kind,
                tenant_id,
                subject,
                is_on
            from operations.alert_states
            where subject_kind = any(%L::text[])
            $given$,
            case
                when asked is null then '{customer,account,organization}'
                else '{customer}'
            end
        );

        -- of thousands of customers, only those whose state differs from their episode
        insert into judged
        select
            kind,
            tenant_id,
            subject,
            given.is_on,
            given.kind is null
        from given
        full join
            (
                select
                    kind,
                    tenant_id,
                    subject
                from operations.alert_episodes
                where
                    closed_at is null
                    and subject_kind not in ('job', 'source')
                    and (
                        asked is null
                        or subject_kind = 'tenant'
                        or (
                            subject_kind = 'customer'
                            and (tenant_id, subject) in (
                                select
                                    of_asked.tenant,
                                    of_asked.subject
                                from
                                    jsonb_to_recordset(asked::jsonb) as of_asked (
                                        tenant text, subject text
                                    )
                            )
                        )
                    )
            ) as open_ones using (kind, tenant_id, subject)
        where
            given.is_on != (open_ones.kind is not null)
            or given.kind is null;
        analyze judged;

        -- texts are written for these only
        if exists (select from judged where not is_gone) then
            execute format(
                $texts$
                insert into states
                select alert_states.*
                from operations.alert_states
                inner join judged
                    on
                        alert_states.kind = judged.kind
                        and alert_states.tenant_id = judged.tenant_id
                        and alert_states.subject = judged.subject
                where
                    -- constants, which reach every part of the view
                    alert_states.kind = any(%L::text[])
                    and alert_states.subject = any(%L::text[])
                $texts$,
                (select array_agg(distinct kind) from judged where not is_gone),
                (select array_agg(distinct subject) from judged where not is_gone)
            );
        end if;
        perform set_config('customer_health.alerted_customers', '', true);

        -- not in a view: every refresh recreates these tables, and would drop a view on
        -- them. After a crash has emptied them, the state is unknown
        for clock in
            select
                systems.system,
                format('analytics_internal.int_source_freshness__%s', systems.system)
                    as relation
            from operations.systems
            where systems.is_hourly
        loop
            -- a system without sources has no such table
            continue when to_regclass(clock.relation) is null;
            execute format(
                $freshness$
                insert into states
                select
                    'SOURCE_STALE', 'source', '', '', %1$L, freshness.is_stale,
                    case
                        when not freshness.is_stale then 'source %1$s changes again'
                        else
                            coalesce(
                                'source %1$s is stale: its latest change was on '
                                || to_char(
                                    freshness.newest_at at time zone 'UTC',
                                    'YYYY-MM-DD HH24:MI "UTC"'
                                ),
                                'source %1$s is stale: it has no known change'
                            )
                    end,
                    jsonb_build_object('newest_at', freshness.newest_at)
                from (select) as always
                left join %2$s as freshness on true
                $freshness$,
                clock.system, clock.relation
            );
        end loop;
    end if;
    analyze states;

    -- close episodes: with a message if the state is off, without one if the customer
    -- or the tenant is no longer assessed
    with ended as (
        update operations.alert_episodes as episodes
        set closed_at = now()
        where
            episodes.closed_at is null
            and (
                episodes.subject_kind = 'job'
                or (episodes.subject_kind = 'source' and is_judged)
                or exists (
                    select from judged
                    where
                        judged.kind = episodes.kind
                        and judged.tenant_id = episodes.tenant_id
                        and judged.subject = episodes.subject
                        and (judged.is_gone or not judged.is_on)
                )
            )
            and not exists (
                select from states
                where
                    states.kind = episodes.kind
                    and states.tenant_id = episodes.tenant_id
                    and states.subject = episodes.subject
                    and states.is_on is not false
            )
        returning episodes.*
    )

    insert into operations.alert_outbox
        (episode_id, edge, kind, tenant_slug, subject, message, details)
    select
        ended.episode_id, 'recovered', coalesce(raised.kind, ended.kind),
        states.tenant_slug, ended.subject, states.message, states.details
    from ended
    inner join states
        on
            ended.kind = states.kind
            and ended.tenant_id = states.tenant_id
            and ended.subject = states.subject
    left join operations.alert_outbox as raised
        on ended.episode_id = raised.episode_id and raised.edge = 'raised'
    where ended.is_told;

    -- open episodes: with a message, except for customers and accounts of a tenant that
    -- is seen for the first time
    with begun as (
        insert into operations.alert_episodes
            (kind, subject_kind, tenant_id, subject, is_told)
        select
            states.kind, states.subject_kind, states.tenant_id, states.subject,
            states.subject_kind not in ('customer', 'account') or seen.tenant_id is not null
        from states
        left join operations.alert_tenants as seen
            on
                states.subject_kind = seen.subject_kind
                and states.tenant_id = seen.tenant_id
        where
            states.is_on
            and not exists (
                select from operations.alert_episodes as episodes
                where
                    episodes.kind = states.kind
                    and episodes.tenant_id = states.tenant_id
                    and episodes.subject = states.subject
                    and episodes.closed_at is null
            )
        returning *
    )

    insert into operations.alert_outbox
        (episode_id, edge, kind, tenant_slug, subject, message, details)
    select
        begun.episode_id, 'raised', begun.kind, states.tenant_slug, begun.subject,
        states.message, states.details
    from begun
    inner join states
        on
            begun.kind = states.kind
            and begun.tenant_id = states.tenant_id
            and begun.subject = states.subject
    where begun.is_told;

    if is_judged then
        -- customers of high value get a kind of their own, so that a digest does not
        -- hide them; revenues are computed only for tenants with a new message
        for tenant in
            select tenants.tenant_id
            from analytics.tenants
            where
                tenants.tenant_id::text in (
                    select episodes.tenant_id
                    from operations.alert_outbox as messages
                    inner join operations.alert_episodes as episodes
                        on messages.episode_id = episodes.episode_id
                    where
                        messages.kind = 'CUSTOMER_DORMANT'
                        and messages.edge = 'raised'
                        and messages.created_at = now()
                )
        loop
            -- for the whole tenant at once: message by message, each query would sum
            -- all orders of the tenant again
            create temporary table revenues on commit drop as
            select
                customer_id::text as customer_id,
                revenue_last_365d_amount,
                revenue_rank,
                expected_amount_90d,
                currency
            from operations.customer_revenues
            where tenant_id = tenant.tenant_id and is_high_value;
            analyze revenues;

            update operations.alert_outbox as messages
            set
                kind = 'HIGH_VALUE_CUSTOMER_DORMANT',
                details = messages.details || jsonb_build_object(
                    'revenue_last_365d_amount', revenues.revenue_last_365d_amount,
                    'revenue_rank', revenues.revenue_rank,
                    'expected_amount_90d', revenues.expected_amount_90d,
                    'currency', revenues.currency
                )
            from operations.alert_episodes as episodes, revenues
            where
                messages.kind = 'CUSTOMER_DORMANT'
                and messages.edge = 'raised'
                and messages.created_at = now()
                and episodes.episode_id = messages.episode_id
                and episodes.tenant_id = tenant.tenant_id::text
                and revenues.customer_id = messages.subject;
            drop table revenues;
        end loop;

        -- a tenant counts as seen when its customers were judged
        insert into operations.alert_tenants (subject_kind, tenant_id, judged_as_of)
        select distinct given.subject_kind, given.tenant_id, marts_as_of
        from given
        where given.subject_kind in ('customer', 'account') and given.is_on is not null
        on conflict (subject_kind, tenant_id) do nothing;

        -- of all, because those that were not asked for are as they were
        update operations.alert_tenants set judged_as_of = marts_as_of
        where judged_as_of != marts_as_of;

        -- what left the marts is seen for the first time when it comes back
        -- read first, because Citus cannot join these two tables
        select array_agg(tenant_id::text) into tenants_there from analytics.tenants;
        select array_agg(organization_id::text) into organizations_there
            from analytics.success_organizations;
        delete from operations.alert_tenants
        where
            tenant_id != all(
                coalesce(
                    case subject_kind
                        when 'customer' then tenants_there
                        else organizations_there
                    end,
                    '{}'
                )
            );

        delete from operations.alert_rounds;
        insert into operations.alert_rounds
        select last_run where last_run is not null;
    end if;

    -- a receiver that is named later hears of the last days only
    update operations.alert_outbox
    set state = 'expired', finished_at = now()
    where
        state = 'pending'
        and created_at < now() - interval '1 day' * {{ message_news_days }};

    -- and not that something ended of whose beginning it has not heard
    update operations.alert_outbox as ended
    set state = 'expired', finished_at = now()
    from operations.alert_outbox as raised
    left join operations.alert_outbox as digests
        on raised.digest_id = digests.message_id
    where
        ended.state = 'pending'
        and ended.edge = 'recovered'
        and ended.episode_id = raised.episode_id
        and raised.edge = 'raised'
        and coalesce(digests.state, raised.state) in ('expired', 'failed');

    -- if the receiver is there again, it hears of the beginning before the end
    update operations.alert_outbox as raised
    set
        next_attempt_at = now(),
        -- an attempt that is made early is not the last
        attempts = least(raised.attempts, 10)
    where
        raised.state = 'pending'
        and raised.edge = 'raised'
        and exists (
            select from operations.alert_outbox as ended
            where
                ended.state = 'pending'
                and ended.edge = 'recovered'
                and ended.created_at = now()
                and ended.kind = raised.kind
        );

    -- more than 20 messages of a kind become one digest
    for many in
        select kind, edge, gen_random_uuid() as digest_id
        from operations.alert_outbox
        where state = 'pending' and episode_id is not null
        group by kind, edge
        having count(*) > 20
    loop
        with digested as (
            update operations.alert_outbox
            set state = 'digested', digest_id = many.digest_id, finished_at = now()
            where
                state = 'pending' and episode_id is not null
                and kind = many.kind and edge = many.edge
            returning *
        ),

        by_tenant as (
            select tenant_slug, count(*) as events_count
            from digested group by tenant_slug
        ),

        first_ones as (
            select tenant_slug, message from digested
            order by
                (details ->> 'expected_amount_90d')::numeric desc nulls last,
                (details ->> 'revenue_at_risk')::numeric desc nulls last,
                tenant_slug, message
            limit 20
        )

        insert into operations.alert_outbox (
            message_id, edge, kind, tenant_slug, subject, message, events_count, details
        )
        select
            many.digest_id, many.edge, many.kind, '', '',
            sum(events_count)::text || ' alerts of this kind: ' || string_agg(
                tenant_slug || ' ' || events_count::text, ', ' order by tenant_slug
            ),
            sum(events_count),
            jsonb_build_object(
                'by_tenant', jsonb_object_agg(tenant_slug, events_count),
                'first', (
                    select jsonb_agg(tenant_slug || ': ' || message) from first_ones
                )
            )
        from by_tenant
        having count(*) > 0;
    end loop;
end
$raise$;
comment on function operations.raise_alerts is
'customer_health: Creates messages for the states that have begun or ended.
after_runs_only: assesses only the jobs if no run has ended since the last time.';

create or replace function operations.claim_alert()
returns setof operations.alert_outbox
language sql as $claim$
    update operations.alert_outbox
    set state = 'sending', attempts = attempts + 1
    where
        message_id = (
            select message_id from operations.alert_outbox
            where
                state = 'pending'
                and next_attempt_at <= now()
                -- an end waits until its beginning has arrived, alone or in a digest
                and not exists (
                    select from operations.alert_outbox as raised
                    where
                        alert_outbox.edge = 'recovered'
                        and raised.edge = 'raised'
                        and raised.kind = alert_outbox.kind
                        and raised.created_at <= alert_outbox.created_at
                        and raised.state in ('pending', 'sending')
                        and (
                            raised.episode_id = alert_outbox.episode_id
                            or raised.episode_id is null
                            or alert_outbox.episode_id is null
                        )
                )
                -- raise_alerts lets it expire if that was refused for good
                and not exists (
                    select from operations.alert_outbox as raised
                    left join operations.alert_outbox as digests
                        on raised.digest_id = digests.message_id
                    where
                        alert_outbox.edge = 'recovered'
                        and raised.edge = 'raised'
                        and raised.episode_id = alert_outbox.episode_id
                        and coalesce(digests.state, raised.state)
                        in ('failed', 'expired')
                )
            -- of equally old ones, first the highest expected amount, then most at risk
            order by
                next_attempt_at, created_at,
                (details ->> 'expected_amount_90d')::numeric desc nulls last,
                (details ->> 'revenue_at_risk')::numeric desc nulls last
            limit 1
            for update skip locked
        )
    returning *
$claim$;
comment on function operations.claim_alert() is
'customer_health: Claims the message that has waited longest. Commit before you send it:
if the sender dies, a message in state sending is never sent again.';

-- pauses of 1, 2, 4 ... minutes; the twelfth refusal, after a day and a half, is the
-- last
create or replace function operations.pause_after(attempts integer)
returns interval
language sql immutable as $pause$
    select interval '1 minute' * 2 ^ (attempts - 1)
$pause$;
comment on function operations.pause_after(integer) is
'customer_health: How long a message waits after that many attempts.';

create or replace function operations.state_after(outcome text, attempts integer)
returns text
language sql immutable as $state$
    select case
        when outcome != 'refused' then outcome
        when attempts >= 12 then 'failed'
        else 'pending'
    end
$state$;
comment on function operations.state_after(text, integer) is
'customer_health: The state of a message after an attempt with this outcome.';

create or replace function operations.end_alert(
    of_message uuid, outcome text, reason text
)
returns void
language sql as $end$
    update operations.alert_outbox
    set
        state = operations.state_after(outcome, attempts),
        next_attempt_at = now() + operations.pause_after(attempts),
        error = reason,
        finished_at = case
            when operations.state_after(outcome, attempts) != 'pending' then now()
        end
    where message_id = of_message and state = 'sending'
$end$;
comment on function operations.end_alert(uuid, text, text) is
'customer_health: Records the outcome of a message: sent, refused or unknown.';
