-- Objects that outlive a refresh, and that dbt therefore does not own. Run once for
-- each version of this file.
create table if not exists operations.application_logs (
    log_id bigint generated always as identity primary key,
    logid text not null unique,
    log_type text not null,
    status text not null,
    payload jsonb not null,
    created_at timestamptz not null default now()
);
comment on table operations.application_logs is
'customer_health: One row per run. payload->>''cron_name'' is the job.';
create index if not exists application_logs__cron_name
on operations.application_logs ((payload ->> 'cron_name'), created_at);
-- find full refreshes among many small runs
create index if not exists application_logs__relations
on operations.application_logs (log_id) where payload ? 'relations';
create index if not exists application_logs__drift
on operations.application_logs ((payload ->> 'cron_name'), created_at)
where payload ? 'drift';
-- every run looks for those that died
create index if not exists application_logs__running
on operations.application_logs (log_id) where status = 'running';

create table if not exists operations.systems (
    system text primary key,
    is_hourly boolean not null,
    tenant text not null,
    tenants text not null
);
comment on table operations.systems is
'customer_health: One row per system in the vars of dbt_project.yml.';
delete from operations.systems;
insert into operations.systems (system, is_hourly, tenant, tenants)
select
    registry.name,
    registry.is_hourly,
    registry.tenant,
    registry.tenants
from
    jsonb_to_recordset('{{ systems }}') as registry (
        name text, is_hourly boolean, tenant text, tenants text
    );

create table if not exists operations.write_back_batches (
    batch_id bigint generated always as identity primary key,
    logid text not null,
    tenant_id text not null,
    tenant_slug text not null,
    state text not null,
    customers_count integer not null,
    error text,
    created_at timestamptz not null default now(),
    finished_at timestamptz
);
comment on table operations.write_back_batches is
'customer_health: One row per batch of at most 200 customers, written in one
transaction. state: planned, written, failed (stopped by an error, or no customer could
be written), abandoned (not tried: the run ended, or an earlier batch of the tenant
failed). error: of the batch, or of a single customer.';
create index if not exists write_back_batches__logid
on operations.write_back_batches (logid);
create index if not exists write_back_batches__planned
on operations.write_back_batches (batch_id) where state = 'planned';

create table if not exists operations.write_back_changes (
    batch_id bigint not null,
    tenant_id text not null,
    customer_id text not null,
    column_name text not null,
    old_value text,
    new_value text,
    reason text,
    state text not null,
    error text,
    primary key (batch_id, tenant_id, customer_id, column_name)
);
comment on table operations.write_back_changes is
'customer_health: One row per value that a batch changes. state: planned, written,
conflict (since it was compared, somebody has changed the value or the customer has
ordered), locked (row in use), gone (customer deleted or closed), error, abandoned (with
its batch), rolled_back.';

-- if somebody has dropped the batches, continue their numbers after those of the
-- changes
select
    setval(
        pg_get_serial_sequence('operations.write_back_batches', 'batch_id'),
        max(numbers.batch_id)
    )
from (
    select batch_id from operations.write_back_changes
    union all
    select nextval(pg_get_serial_sequence('operations.write_back_batches', 'batch_id'))
) as numbers;

create table if not exists operations.detached_views (
    relation text primary key,
    grant_statements text[] not null,
    detached_at timestamptz not null default now()
);
comment on table operations.detached_views is
'customer_health: One row per view that `customer-health detach` or a refresh has
dropped, until it is created again. grant_statements: the statements that restore the
rights of others on it.';

create or replace procedure operations.note_grants(view regclass)
language sql as $note_grants$
-- Called before a view of ours is dropped: saves the grants of others on it.
    insert into operations.detached_views (relation, grant_statements)
    select
        format('%I.%I', pg_namespace.nspname, pg_class.relname) as relation,
        array(
            select
                format(
                    'grant %s%s on %I.%I to %s%s',
                    rights.privilege_type,
                    ' (' || quote_ident(rights.column_name) || ')',
                    pg_namespace.nspname,
                    pg_class.relname,
                    case rights.grantee
                        when 0 then 'public' else rights.grantee::regrole::text
                    end,
                    case when rights.is_grantable then ' with grant option' end
                )
            from (
                select null as column_name, granted.*
                from aclexplode(pg_class.relacl) as granted

                union all

                select pg_attribute.attname as column_name, granted.*
                from pg_attribute
                cross join aclexplode(pg_attribute.attacl) as granted
                where pg_class.oid = pg_attribute.attrelid
            ) as rights
            where rights.grantee != pg_class.relowner
        ) as grant_statements
    from pg_class
    inner join pg_namespace
        on pg_class.relnamespace = pg_namespace.oid
    where pg_class.oid = view
    on conflict (relation) do update
    set
        grant_statements = excluded.grant_statements,
        detached_at = excluded.detached_at
$note_grants$;
comment on procedure operations.note_grants is
'customer_health: Saves the grants of others on a view before it is dropped, so that the
refresh that creates it again can restore them.';

create or replace function operations.recomputed_customers(of_run text)
returns text
language plpgsql stable as $recomputed$
-- As text, because it becomes a setting, which a view can read although the table is
-- made anew by every refresh. Of more customers, it is as fast to read all. On Citus,
-- the nodes do not know the setting.
declare
    run constant jsonb := (
        select payload from operations.application_logs where logid = of_run
    );
    customers text;
begin
    if
        run ? 'moved_by_others'
        or to_regclass('pg_catalog.pg_dist_partition') is not null
    then
        return null;
    end if;
    if run ->> 'cron_name' in ('write_back', 'rollback') or run ? 'is_idle' then
        return '[]';
    end if;
    if
        run ->> 'mode' is distinct from 'hourly'
        or run ? 'full_because'
        or not run ? 'systems'
        or to_regclass('analytics_internal.int_customers__scope') is null
    then
        return null;
    end if;
    if not run -> 'systems' ? 'orders' then
        return '[]';
    end if;
    execute $scope$
        select coalesce(jsonb_agg(to_jsonb(of_scope)), '[]')
        from (
            select
                tenant_id,
                customer_id,
                tenant_id::text as tenant,
                customer_id::text as subject
            from analytics_internal.int_customers__scope
            limit 10001
        ) as of_scope
        having count(*) <= 10000
    $scope$ into customers;
    return customers;
end
$recomputed$;
comment on function operations.recomputed_customers is
'customer_health: The customers of orders that a run has recomputed, as JSON of at most
10,000 rows. NULL: more, or perhaps all. For views with the macro only_asked.';

create or replace view operations.job_status with (security_invoker = true) as
-- reads a few rows by the index, however many runs there are; so it finds each job as
-- the next one after the last
with recursive jobs as (
    select min(payload ->> 'cron_name') as job
    from operations.application_logs

    union all

    select
        (
            select min(later.payload ->> 'cron_name')
            from operations.application_logs as later
            where later.payload ->> 'cron_name' > jobs.job
        ) as job
    from jobs
    where jobs.job is not null
)

select
    jobs.job,
    last_run.created_at as last_run_at,
    last_run.status as last_status,
    last_success.created_at as last_success_at,
    now() - last_success.created_at as success_age,
    (
        select count(*)
        from operations.application_logs as failed
        where
            failed.payload ->> 'cron_name' = jobs.job
            and failed.created_at > coalesce(last_success.created_at, '-infinity')
            and failed.created_at <= now()
            and failed.status not in ('success', 'running')
    ) as failures_in_a_row,
    (last_run.payload ->> 'rows_written')::bigint as rows_written,
    (last_run.payload ->> 'seconds')::numeric as seconds,
    last_run.payload ->> 'error' as error,
    -- the drift of the last run that recomputed everything
    (
        select (full_refresh.payload ->> 'drift')::bigint
        from operations.application_logs as full_refresh
        where
            full_refresh.payload ->> 'cron_name' = jobs.job
            and full_refresh.payload ? 'drift'
        order by full_refresh.created_at desc, full_refresh.log_id desc
        limit 1
    ) as drift
from jobs
cross join
    lateral (
        select
            run.created_at,
            run.status,
            run.payload
        from operations.application_logs as run
        where
            run.payload ->> 'cron_name' = jobs.job
            -- not those of a clock that was ahead
            and run.created_at <= now()
        order by run.created_at desc, run.log_id desc
        limit 1
    ) as last_run
left join
    lateral (
        select run.created_at
        from operations.application_logs as run
        where
            run.payload ->> 'cron_name' = jobs.job
            and run.status = 'success'
            and run.created_at <= now()
        order by run.created_at desc
        limit 1
    ) as last_success
    on true;
comment on view operations.job_status is
'customer_health: One row per job: how its last run ended, when it last succeeded, and
the drift: how many rows its last full refresh corrected although no change was noticed
(should be 0).';

create or replace view operations.refresh_health
with (security_invoker = true) as
select
    max(last_success.created_at) as last_success_at,
    now() - max(last_success.created_at) as success_age,
    coalesce(max(last_success.created_at), min(first_run.created_at))
    < now() - {{ refresh_overdue_hours }} * interval '1 hour' as is_overdue
-- a refresh of one organization says nothing about the others
from (values ('refresh_hourly'), ('refresh_nightly')) as jobs (job)
left join
    lateral (
        select run.created_at
        from operations.application_logs as run
        where
            run.payload ->> 'cron_name' = jobs.job
            -- the marts are right, and only the write-back of some tenant waits
            and run.status in ('success', 'held')
            and run.created_at <= now()
        order by run.created_at desc
        limit 1
    ) as last_success
    on true
left join
    lateral (
        select run.created_at
        from operations.application_logs as run
        where run.payload ->> 'cron_name' = jobs.job
        order by run.created_at
        limit 1
    ) as first_run
    on true;
comment on view operations.refresh_health is
'customer_health: One row: when an hourly or nightly refresh last succeeded, or had only
its write-back held, and whether that is too long ago. NULL if there was none.';
