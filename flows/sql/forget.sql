-- What the nightly refresh deletes from the schema operations: rows older than
-- operations_keep_days that nothing needs any more, and successful hourly refreshes
-- earlier, because they may be one every ten seconds. It deletes no contact, and
-- nothing that still waits to be sent or written.
create or replace function operations.forget_old_rows()
returns table (relation text, rows_count bigint)
language plpgsql set lock_timeout = '1s' as $forget$
#variable_conflict use_column
declare
    kept_from constant timestamptz
    := now() - {{ operations_keep_days }} * interval '1 day';
    hourly_kept_from constant timestamptz
    := now() - {{ hourly_runs_keep_days }} * interval '1 day';
    publications constant text[] := array(
        select systems.system || '_publications'
        from operations.systems
        where
            to_regclass(format('operations.%I', systems.system || '_publications'))
            is not null
        order by systems.system
    );
    publication text;
    last_run text;
    last_runs text[] := '{}';
    gone text[];
begin
    -- the last run that published a system says by which rules its marts were computed
    foreach publication in array publications
    loop
        execute format(
            $last$
            select runs.logid
            from operations.application_logs as runs
            where
                exists (
                    select from operations.%I as done where done.run_id = runs.logid
                )
            order by runs.log_id desc
            limit 1
            $last$,
            publication
        ) into last_run;
        last_runs := last_runs || coalesce(last_run, '');
    end loop;

    relation := 'application_logs';
    with deleted as (
        delete from operations.application_logs as runs
        where
            (
                runs.created_at < kept_from
                or (
                    runs.created_at < hourly_kept_from
                    and runs.status = 'success'
                    and runs.payload ->> 'cron_name' = 'refresh_hourly'
                )
            )
            and runs.status != 'running'
            and runs.logid != all(last_runs)
            -- how a job is doing is read from its last run that ended so and noted this;
            -- a limit, because with `exists` the planner reads all later runs each time
            and (
                select true
                from operations.application_logs as later
                where
                    later.payload ->> 'cron_name' = runs.payload ->> 'cron_name'
                    and later.created_at >= runs.created_at
                    and later.log_id > runs.log_id
                    and later.status = runs.status
                    and later.payload ?& array(select jsonb_object_keys(runs.payload))
                order by later.created_at
                limit 1
            )
        returning runs.logid
    )

    select
        coalesce(array_agg(deleted.logid), '{}'),
        count(*)
    into gone, rows_count
    from deleted;
    return next;

    foreach publication in array publications
    loop
        relation := publication;
        -- it has no key, and somebody may have a publication for all tables
        if exists (
            select from pg_class
            where
                oid = to_regclass(format('operations.%I', publication))
                and relreplident = 'd'
        )
        then
            begin
                execute format(
                    'alter table operations.%I replica identity full', publication
                );
            exception when lock_not_available then
                -- in use, perhaps by pg_dump; readers would wait behind us
                continue;
            end;
        end if;
        execute format(
            $done$
            delete from operations.%I as done
            where
                done.run_id = any($2)
                -- of no run of ours
                or (
                    done.as_of < $1
                    and not exists (
                        select from operations.application_logs as runs
                        where runs.logid = done.run_id
                    )
                )
            $done$,
            publication
        ) using kept_from, gone;
        get diagnostics rows_count = row_count;
        return next;
    end loop;

    relation := 'write_back_changes';
    delete from operations.write_back_changes as changes
    where
        changes.state != 'planned'
        and changes.batch_id in (
            select batches.batch_id from operations.write_back_batches as batches
            where batches.created_at < kept_from
        );
    get diagnostics rows_count = row_count;
    return next;

    relation := 'write_back_batches';
    delete from operations.write_back_batches as batches
    where
        batches.created_at < kept_from
        and not exists (
            select from operations.write_back_changes as changes
            where changes.batch_id = batches.batch_id
        );
    get diagnostics rows_count = row_count;
    return next;

    relation := 'hook_errors';
    delete from operations.hook_errors as errors where errors.created_at < kept_from;
    get diagnostics rows_count = row_count;
    return next;

    -- that a state began is needed until its end has been told
    relation := 'alert_outbox';
    delete from operations.alert_outbox as alerts
    where
        coalesce(alerts.finished_at, alerts.created_at) < kept_from
        and alerts.state not in ('pending', 'sending')
        and not exists (
            select from operations.alert_episodes as episodes
            where
                episodes.episode_id = alerts.episode_id
                and episodes.closed_at is null
        );
    get diagnostics rows_count = row_count;
    return next;

    relation := 'alert_episodes';
    delete from operations.alert_episodes as episodes
    where
        episodes.closed_at < kept_from
        and not exists (
            select from operations.alert_outbox as alerts
            where alerts.episode_id = episodes.episode_id
        );
    get diagnostics rows_count = row_count;
    return next;

    -- who was told of an episode is needed as long as the episode is there
    relation := 'message_news';
    delete from operations.message_news as told
    where
        told.told_at < kept_from
        and told.news != 'begun'
        and not exists (
            select from operations.alert_episodes as episodes
            where episodes.episode_id::text = split_part(told.news, ' ', 2)
        );
    get diagnostics rows_count = row_count;
    return next;

    relation := 'message_outbox';
    delete from operations.message_outbox as messages
    where
        coalesce(messages.finished_at, messages.created_at) < kept_from
        and messages.state not in ('pending', 'sending');
    get diagnostics rows_count = row_count;
    return next;
end
$forget$;
comment on function operations.forget_old_rows() is
'customer_health: Deletes rows of this schema that are old (operations_keep_days,
hourly_runs_keep_days) and that nothing needs any more. Returns one row per table: how
many.';
