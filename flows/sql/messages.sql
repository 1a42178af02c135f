-- Messages: alerts and weekly news for people, about their own customers only. The view
-- recipients says who gets messages, and where. This file finds the news for each
-- recipient, so that it is sent once.

create table if not exists operations.message_outbox (
    message_id uuid primary key,
    kind text not null,
    reach text not null,
    tenant_id text not null,
    tenant_slug text not null,
    channel text not null,
    address text not null,
    recipient_name text,
    body jsonb not null,
    quiet_from time,
    quiet_to time,
    time_zone text,
    state text not null default 'pending',
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    error text,
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table operations.message_outbox is
'customer_health: One row per message to a person or channel. kind: alerts or weekly.
reach: team (all tenants), tenant (one), owner (the customers of one sales rep). body:
its content, one object per line. state: as in alert_outbox, or withdrawn
(that address no longer gets messages). expired: it could not be sent for
message_news_days.';
create index if not exists message_outbox__waiting
on operations.message_outbox (next_attempt_at) where state in ('pending', 'sending');

create table if not exists operations.message_news (
    channel text not null,
    address text not null,
    news text not null,
    message_id uuid,
    told_at timestamptz not null default now(),
    primary key (channel, address, news)
);
comment on table operations.message_news is
'customer_health: One row per address and piece of news that a message to it contains.
news: raised or recovered with the number of the episode, or week with its Monday,
tenant and reach. message_id is NULL if there was nothing to say. The row without an
address says when messages began: sales reps do not hear of earlier alerts.';
insert into operations.message_news (channel, address, news)
values ('', '', 'begun') on conflict do nothing;

create or replace function operations.is_quiet(
    instant timestamptz, zone text, quiet_from time, quiet_to time
)
returns boolean
language sql stable as $quiet$
    select coalesce(
        case
            when quiet_from <= quiet_to
                then local_time >= quiet_from and local_time < quiet_to
            else local_time >= quiet_from or local_time < quiet_to
        end,
        false
    )
    from (select (instant at time zone coalesce(zone, 'UTC'))::time as local_time) as clock
$quiet$;
comment on function operations.is_quiet(timestamptz, text, time, time) is
'customer_health: Whether an instant lies in quiet hours, [from, to), which may span
midnight.';

create or replace view operations.message_states
with (security_invoker = true) as
select
    message_id,
    kind,
    reach,
    tenant_slug,
    channel,
    address,
    recipient_name,
    jsonb_array_length(body) as lines_count,
    case
        when
            state = 'pending'
            and operations.is_quiet(now(), time_zone, quiet_from, quiet_to)
            then 'quiet'
        else state
    end as state,
    quiet_to,
    attempts,
    next_attempt_at,
    error,
    created_at,
    finished_at
from operations.message_outbox;
comment on view operations.message_states is
'customer_health: One row per message to a person or channel. state: as in
message_outbox, or quiet (it waits, and quiet hours hold it at this moment).';

create or replace function operations.route_of(channel text, address text)
returns text
language sql immutable as $way$
    select case when channel = 'mail' then channel else channel || ' ' || address end
$way$;
comment on function operations.route_of(text, text) is
'customer_health: What a message needs to arrive: a mail server, or the webhook of
a channel and address.';

create or replace function operations.unreached(reachable text[])
returns table (
    tenant_slug text,
    recipient_name text,
    channel text,
    address text,
    customers_count bigint,
    reason text,
    why text
)
language plpgsql stable as $unreached$
-- a function, because the view recipients is missing while our views are detached
#variable_conflict use_column
begin
    return query
    with looked_after as (
        select
            tenant_id::text as tenant_id,
            sales_rep_id::text as sales_rep_id,
            count(*) as customers_count
        from analytics.customer_account_types
        group by tenant_id, sales_rep_id
    ),

    judged as (
        select
            recipients.tenant_slug,
            coalesce(
                recipients.sales_rep_name, recipients.sales_rep_id, 'the whole tenant'
            ) as recipient_name,
            recipients.channel,
            recipients.address,
            looked_after.customers_count,
            recipients.quiet_to,
            coalesce(
                recipients.not_told_because,
                case
                    when
                        operations.route_of(recipients.channel, recipients.address)
                        != all(reachable)
                        then 'not set'
                    when
                        operations.is_quiet(
                            now(),
                            recipients.time_zone,
                            recipients.quiet_from,
                            recipients.quiet_to
                        )
                        then 'quiet hours'
                end
            ) as reason
        from operations.recipients
        left join looked_after
            on
                recipients.tenant_id = looked_after.tenant_id
                and recipients.sales_rep_id = looked_after.sales_rep_id
        -- a rep without customers gets no messages anyway
        where
            recipients.sales_rep_id is null
            or looked_after.customers_count > 0

        union all

        -- a rep of customers, of whom the sales reps know nothing
        select
            tenants.tenant_slug,
            looked_after.sales_rep_id as recipient_name,
            'mail' as channel,
            null as address,
            looked_after.customers_count,
            null as quiet_to,
            'unknown sales rep' as reason
        from looked_after
        inner join analytics.tenants
            on looked_after.tenant_id = tenants.tenant_id::text
        where
            looked_after.sales_rep_id is not null
            and not exists (
                select from operations.recipients
                where
                    recipients.tenant_id = looked_after.tenant_id
                    and recipients.sales_rep_id = looked_after.sales_rep_id
            )
    )

    select
        judged.tenant_slug,
        judged.recipient_name,
        judged.channel,
        judged.address,
        judged.customers_count,
        judged.reason,
        case judged.reason
            when 'quiet hours' then 'quiet until ' || to_char(judged.quiet_to, 'HH24:MI')
            else judged.reason
        end as why
    from judged
    where judged.reason is not null;
end
$unreached$;
comment on function operations.unreached(text[]) is
'customer_health: One row per person or channel that gets no messages at this moment,
and why. reachable: as route_of says; NULL if it is not known what is set.';

create or replace function operations.add_messages(of_kind text)
returns void
language plpgsql as $add$
begin
    -- One message per address; the first 20 lines of each section, 10 of CALL_FIRST.
    -- Reads the temporary table fresh, which the caller has filled.
    with ranked as (
        select
            *,
            row_number() over (
                partition by channel, address, reach, tenant_id, tenant_slug, section
                order by
                    (line ->> 'expected_amount_90d')::numeric desc nulls last,
                    (line ->> 'revenue_at_risk')::numeric desc nulls last,
                    line ->> 'tenant', line ->> 'name', line ->> 'words'
            ) as place,
            count(*) over whole as lines_count,
            min(line ->> 'sales_rep_id') over whole as first_rep,
            max(line ->> 'sales_rep_id') over whole as last_rep
        from fresh
        where line is not null
        window whole as (
            partition by channel, address, reach, tenant_id, tenant_slug, section
        )
    ),

    written as (
        select
            gen_random_uuid() as message_id,
            channel,
            address,
            reach,
            tenant_id,
            tenant_slug,
            -- a shared address gets no name
            case when count(distinct recipient_name) = 1 then min(recipient_name) end
                as recipient_name,
            min(quiet_from) as quiet_from,
            min(quiet_to) as quiet_to,
            min(time_zone) as time_zone,
            jsonb_agg(
                line || jsonb_build_object(
                    'section', section,
                    'of', lines_count,
                    -- whose list the whole section is; NULL if several share the address
                    'sales_rep_id', case when first_rep = last_rep then first_rep end
                )
                order by section, place
            ) filter (
                where place <= case when section = 'CALL_FIRST' then 10 else 20 end
            ) as body
        from ranked
        group by channel, address, reach, tenant_id, tenant_slug
    ),

    -- if the receiver is there again, it gets what it has refused before what is new
    tried_again as (
        update operations.message_outbox as earlier
        set
            next_attempt_at = now(),
            -- an attempt that is made early is not the last
            attempts = least(earlier.attempts, 10)
        from (select distinct channel, address from written) as addressed
        where
            earlier.state = 'pending'
            and earlier.channel = addressed.channel
            and earlier.address = addressed.address
    ),

    added as (
        insert into operations.message_outbox (
            message_id, kind, reach, tenant_id, tenant_slug, channel, address,
            recipient_name, quiet_from, quiet_to, time_zone, body
        )
        select
            message_id, of_kind, reach, tenant_id, tenant_slug, channel, address,
            recipient_name, quiet_from, quiet_to, time_zone, body
        from written
    )

    insert into operations.message_news (channel, address, news, message_id)
    select distinct on (fresh.channel, fresh.address, fresh.news)
        fresh.channel, fresh.address, fresh.news, written.message_id
    from fresh
    left join written
        on
            fresh.channel = written.channel
            and fresh.address = written.address
            and fresh.reach = written.reach
            and fresh.tenant_id = written.tenant_id
            and fresh.tenant_slug = written.tenant_slug
    order by fresh.channel, fresh.address, fresh.news, written.message_id nulls last;
end
$add$;
comment on function operations.add_messages(text) is
'customer_health: Creates messages from the news in the temporary table fresh.';

create or replace function operations.compose_messages(
    instant timestamptz, team text[], reachable text[], is_told_by_machine boolean
)
returns void
language plpgsql as $compose$
declare
    tenant record;
begin
    -- one run at a time, as in raise_alerts: two would find the same news
    perform set_config('lock_timeout', '1min', true);
    perform pg_advisory_xact_lock(hashtext('customer_health_raise_alerts'));
    perform set_config('lock_timeout', '0', true);

    create temporary table readers (
        reader_id uuid default gen_random_uuid(), reach text, tenant_id text,
        tenant_slug text, sales_rep_id text, recipient_name text, channel text,
        address text, quiet_from time, quiet_to time, time_zone text
    ) on commit drop;
    insert into readers (reach, tenant_id, tenant_slug, channel, address)
    select
        'team',
        '',
        '',
        split_part(place, ' ', 1),
        split_part(place, ' ', 2)
    from unnest(team) as given (place);

    -- the view is missing while our views are detached
    if to_regclass('operations.recipients') is not null then
        insert into readers (
            reach, tenant_id, tenant_slug, sales_rep_id, recipient_name,
            channel, address, quiet_from, quiet_to, time_zone
        )
        select distinct
            case when sales_rep_id is null then 'tenant' else 'owner' end,
            tenant_id, tenant_slug, sales_rep_id, sales_rep_name,
            channel, address, quiet_from, quiet_to, time_zone
        from operations.recipients
        where not_told_because is null;

        -- withdraw messages that wait for people who no longer get any
        update operations.message_outbox as messages
        set state = 'withdrawn', finished_at = now()
        where
            state = 'pending'
            and reach != 'team'
            and not exists (
                select from readers
                where
                    readers.reach = messages.reach
                    and readers.tenant_id = messages.tenant_id
                    and readers.tenant_slug = messages.tenant_slug
                    and readers.channel = messages.channel
                    and readers.address = messages.address
            );
    end if;
    -- also those to former members of the team, which nobody claims
    update operations.message_outbox
    set state = 'expired', finished_at = now()
    where
        state = 'pending'
        and created_at < instant - interval '1 day' * {{ message_news_days }};

    -- news during quiet hours becomes one message at their end
    delete from readers
    where
        operations.is_quiet(instant, time_zone, quiet_from, quiet_to)
        or operations.route_of(channel, address) != all(reachable);

    create temporary table fresh (
        reach text, tenant_id text, tenant_slug text, recipient_name text, channel text,
        address text, quiet_from time, quiet_to time, time_zone text,
        news text, section text, line jsonb
    ) on commit drop;
    perform operations.find_alerts_of_people(instant);
    perform operations.add_messages('alerts');

    if not is_told_by_machine and cardinality(team) > 0 then
        update operations.alert_outbox
        set state = 'passed_on', finished_at = now()
        where state = 'pending';
    end if;

    if to_regclass('operations.weekly_lines') is null then
        return;
    end if;
    truncate fresh;
    for tenant in
        select
            tenants.tenant_id,
            tenants.tenant_slug,
            clock.local_monday::date - 7 as week_begins_on
        from analytics.tenants
        cross join
            lateral (
                select
                    instant at time zone tenants.time_zone as local_at,
                    date_trunc('week', instant at time zone tenants.time_zone) as local_monday
            ) as clock
        where
            -- on Monday, or on Tuesday after an outage
            clock.local_at
            >= clock.local_monday + interval '1 hour' * {{ weekly_message_hour }}
            and clock.local_at < clock.local_monday + interval '2 days'
            -- and the marts have reached the new week
            and tenants.as_of <= instant
            and date_trunc('week', tenants.today::timestamp) = clock.local_monday
    loop
        perform operations.find_week_of_people(
            tenant.tenant_id::text, tenant.tenant_slug, tenant.week_begins_on
        );
    end loop;
    perform operations.add_messages('weekly');
end
$compose$;
comment on function operations.compose_messages(
    timestamptz, text[], text[], boolean
) is
'customer_health: Creates a message for everybody who has news to receive.
team: each channel and address, separated by a space. reachable: results of route_of.';

create or replace function operations.find_alerts_of_people(instant timestamptz)
returns void
language plpgsql as $alerts$
begin
    create temporary table news on commit drop as
    select
        alerts.edge || ' ' || alerts.episode_id::text as news,
        'raised ' || alerts.episode_id::text as beginning,
        alerts.kind || ' ' || alerts.edge as section,
        alerts.edge,
        episodes.subject_kind,
        episodes.tenant_id,
        alerts.tenant_slug,
        episodes.subject,
        alerts.message,
        alerts.details,
        -- older alerts go only to the team, if they are still pending
        alerts.created_at
        > greatest(instant - interval '1 day' * {{ message_news_days }}, begun.told_at)
        as is_recent,
        null::text as sales_rep_id
    from operations.alert_outbox as alerts
    inner join operations.alert_episodes as episodes
        on alerts.episode_id = episodes.episode_id
    -- should somebody have emptied the table, the last days are news
    left join operations.message_news as begun
        on begun.channel = '' and begun.address = '' and begun.news = 'begun'
    where
        (
            alerts.state = 'pending'
            or alerts.created_at
            > greatest(instant - interval '1 day' * {{ message_news_days }}, begun.told_at)
        )
        -- skip alerts that ended before anybody heard of them
        and (alerts.edge = 'recovered' or episodes.closed_at is null);
    if to_regclass('analytics.customer_account_types') is not null then
        -- today's sales rep, from one read of the mart
        create temporary table owners on commit drop as
        select
            news.news,
            account_types.sales_rep_id::text as sales_rep_id
        from analytics.customer_account_types as account_types
        inner join news
            on
                account_types.tenant_id::text = news.tenant_id
                and account_types.customer_id::text = news.subject
        where news.subject_kind = 'customer';
        -- separately, because on Citus an update cannot join a distributed table
        update news
        set sales_rep_id = owners.sales_rep_id
        from owners
        where news.news = owners.news;
    end if;

    insert into fresh
    with pairs as (
        -- separate queries, so that each joins by equality
        select
            readers.reader_id,
            readers.reach,
            readers.channel,
            readers.address,
            news.*
        from readers
        cross join news
        where readers.reach = 'team'

        union all

        select
            readers.reader_id,
            readers.reach,
            readers.channel,
            readers.address,
            news.*
        from readers
        inner join news
            on
                readers.tenant_id = news.tenant_id
                -- ids of two systems may collide
                and readers.tenant_slug = news.tenant_slug
        where readers.reach = 'tenant' and news.is_recent

        union all

        select
            readers.reader_id,
            readers.reach,
            readers.channel,
            readers.address,
            news.*
        from readers
        inner join news
            on
                readers.tenant_id = news.tenant_id
                and readers.sales_rep_id = news.sales_rep_id
        where
            readers.reach = 'owner'
            and news.subject_kind = 'customer'
            and news.is_recent
    ),

    -- an address of the team gets each piece of news once, as the team's
    unsent as (
        select distinct on (pairs.channel, pairs.address, pairs.news)
            pairs.*,
            case
                when pairs.subject_kind in ('customer', 'account')
                    then coalesce(
                        pairs.details ->> 'customer_name',
                        pairs.details ->> 'account_name',
                        pairs.subject
                    )
            end as name
        from pairs
        where
            not exists (
                select from operations.message_news as told
                where
                    told.channel = pairs.channel
                    and told.address = pairs.address
                    and told.news = pairs.news
            )
            -- an end waits until its beginning has arrived, if it ever does
            and (
                pairs.edge = 'raised'
                or exists (
                    select from operations.message_news as told
                    left join operations.message_outbox as messages
                        on told.message_id = messages.message_id
                    where
                        told.channel = pairs.channel
                        and told.address = pairs.address
                        and told.news = pairs.beginning
                        -- unknown: it may have arrived; no state: it was deleted long ago
                        and coalesce(messages.state, 'sent') in ('sent', 'unknown')
                )
            )
        order by
            pairs.channel, pairs.address, pairs.news,
            array_position(array['team', 'tenant', 'owner'], pairs.reach)
    )

    select
        readers.reach,
        readers.tenant_id,
        readers.tenant_slug,
        readers.recipient_name,
        readers.channel,
        readers.address,
        readers.quiet_from,
        readers.quiet_to,
        readers.time_zone,
        unsent.news,
        unsent.section,
        jsonb_build_object(
            'tenant', unsent.tenant_slug,
            'name', unsent.name,
            'words', case
                when starts_with(unsent.message, unsent.name || ': ')
                    then substr(unsent.message, length(unsent.name) + 3)
                else unsent.message
            end,
            -- what the page in the link is about
            'link', case unsent.subject_kind
                when 'customer' then unsent.tenant_id || '/' || unsent.subject
                when 'account' then unsent.tenant_id || '/' || unsent.subject
                when 'organization' then unsent.tenant_id
                else nullif(unsent.subject, '')
            end,
            'expected_amount_90d', unsent.details -> 'expected_amount_90d',
            'revenue_at_risk', unsent.details -> 'revenue_at_risk',
            'currency', unsent.details -> 'currency'
        ) as line
    from unsent
    inner join readers
        on unsent.reader_id = readers.reader_id;
end
$alerts$;
comment on function operations.find_alerts_of_people(timestamptz) is
'customer_health: Finds the alerts that each reader should hear of and has not.';

create or replace function operations.find_week_of_people(
    of_tenant_id text, of_tenant_slug text, of_week date
)
returns void
language plpgsql as $week$
declare
    is_waited_for boolean;
begin
    create temporary table waiting on commit drop as
    select *
    from (
        select
            readers.*,
            concat_ws(
                ' ', 'week', of_week, of_tenant_id, readers.reach, readers.sales_rep_id
            ) as news
        from readers
        where
            readers.reach = 'team'
            -- ids of two systems may collide
            or (
                readers.tenant_id = of_tenant_id
                and readers.tenant_slug = of_tenant_slug
            )
    ) as all_of_them
    where
        not exists (
            select from operations.message_news as told
            where
                told.channel = all_of_them.channel
                and told.address = all_of_them.address
                and told.news = all_of_them.news
        );
    -- while the feed is silent, nobody knows who is late; if orders arrive by Tuesday,
    -- the message is sent
    select coalesce(bool_or(feeds.is_silent), false) into is_waited_for
    from operations.tenant_feeds as feeds
    where feeds.tenant_id::text = of_tenant_id;
    if not is_waited_for and exists (select from waiting) then
        create temporary table lines on commit drop as
        select *
        from operations.weekly_lines
        where
            tenant_id = (
                select tenants.tenant_id from analytics.tenants
                where tenants.tenant_id::text = of_tenant_id
            );

        insert into fresh
        select
            waiting.reach,
            waiting.tenant_id,
            waiting.tenant_slug,
            waiting.recipient_name,
            waiting.channel,
            waiting.address,
            waiting.quiet_from,
            waiting.quiet_to,
            waiting.time_zone,
            waiting.news,
            lines.section,
            case
                when lines.section is not null
                    then jsonb_build_object(
                        'tenant', of_tenant_slug,
                        'name', lines.customer_name,
                        'words', lines.words,
                        'link', of_tenant_id || '/' || lines.customer_id::text,
                        'sales_rep_id', waiting.sales_rep_id,
                        'expected_amount_90d', lines.expected_amount_90d,
                        'revenue_at_risk', lines.revenue_at_risk,
                        'currency', lines.currency,
                        'week_begins_on', of_week
                    )
            end as line
        from waiting
        left join lines
            on
                waiting.reach = 'tenant'
                or waiting.sales_rep_id = lines.sales_rep_id::text
        where waiting.reach != 'team'

        union all

        -- the team gets one line per tenant
        select
            waiting.reach,
            waiting.tenant_id,
            waiting.tenant_slug,
            waiting.recipient_name,
            waiting.channel,
            waiting.address,
            waiting.quiet_from,
            waiting.quiet_to,
            waiting.time_zone,
            waiting.news,
            'TENANTS' as section,
            case
                when counted.lines_count > 0
                    then jsonb_build_object(
                        'tenant', of_tenant_slug,
                        'words', format(
                            '%s became late, %s lost, %s came back, %s to call',
                            counted.late_count, counted.lost_count, counted.back_count,
                            counted.call_count
                        ),
                        'week_begins_on', of_week
                    )
            end as line
        from waiting
        cross join (
            select
                count(*) as lines_count,
                count(*) filter (where section = 'BECAME_LATE') as late_count,
                count(*) filter (where section = 'LOST') as lost_count,
                count(*) filter (where section = 'CAME_BACK') as back_count,
                count(*) filter (where section = 'CALL_FIRST') as call_count
            from lines
        ) as counted
        where waiting.reach = 'team';
        drop table lines;
    end if;
    drop table waiting;
end
$week$;
comment on function operations.find_week_of_people(text, text, date) is
'customer_health: Finds a tenant''s weekly news for those who have not received it.';

create or replace function operations.claim_message(
    instant timestamptz, team text[], reachable text[]
)
returns setof operations.message_outbox
language sql as $claim$
    update operations.message_outbox
    set state = 'sending', attempts = attempts + 1
    where
        message_id = (
            select message_id from operations.message_outbox
            where
                state = 'pending'
                and next_attempt_at <= now()
                and operations.route_of(channel, address) = any(reachable)
                -- people who left the team get nothing, not even waiting messages
                and (reach != 'team' or channel || ' ' || address = any(team))
                and not operations.is_quiet(instant, time_zone, quiet_from, quiet_to)
            order by created_at, message_id
            limit 1
            for update skip locked
        )
    returning *
$claim$;
comment on function operations.claim_message(timestamptz, text[], text[]) is
'customer_health: Claims the oldest message that is due, as claim_alert does.';

create or replace function operations.end_message(
    of_message uuid, outcome text, reason text
)
returns void
language sql as $end$
    update operations.message_outbox
    set
        state = operations.state_after(outcome, attempts),
        next_attempt_at = now() + operations.pause_after(attempts),
        error = reason,
        finished_at = case
            when operations.state_after(outcome, attempts) != 'pending' then now()
        end
    where message_id = of_message and state = 'sending'
$end$;
comment on function operations.end_message(uuid, text, text) is
'customer_health: Records the outcome of a message: sent, refused or unknown.';
