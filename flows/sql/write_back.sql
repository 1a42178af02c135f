-- The write-back: plan what differs, then write it batch by batch. Both read the rules'
-- answer from the view pending_customer_updates and write through the views
-- stg_orders__customer_statuses and input_orders__customer_statuses, which alone knows
-- the operational names. A value is kept as the text that its column gives and takes,
-- whatever its type; instants in UTC.

create or replace function operations.give_up_batches(run_logid text, failed jsonb)
returns void
language sql as $give_up$
-- Batches that a run has planned and not ended, or every run for NULL: they are planned
-- anew. One of a tenant that failed, by slug, says by what.
    with ended as (
        update operations.write_back_batches
        set
            state = 'abandoned',
            error = case
                when failed ? tenant_slug
                    then 'a batch before it failed: ' || (failed ->> tenant_slug)
                else 'the run ended before it'
            end,
            finished_at = now()
        where
            state = 'planned'
            and (run_logid is null or logid = run_logid)
        returning batch_id, error
    )

    update operations.write_back_changes
    set
        state = 'abandoned',
        error = ended.error
    from ended
    where
        write_back_changes.batch_id = ended.batch_id
        and write_back_changes.state = 'planned'
$give_up$;
comment on function operations.give_up_batches is
'customer_health: End the batches that a run has planned and not tried.';

create or replace function operations.plan_write_back(
    run_logid text, only_tenant text, batch_size integer, forced boolean
)
returns setof bigint
language plpgsql set timezone = 'UTC' as $plan$
begin
    -- what a run that died had planned is planned anew
    perform operations.give_up_batches(null, '{}');

    return query
    with pending as (
        select
            pending_customer_updates.*,
            (row_number() over (partition by tenant_id order by customer_id) - 1)
            / batch_size as batch_number
        from operations.pending_customer_updates
        where
            (only_tenant is null or tenant_slug = only_tenant)
            and (
                forced
                or (
                    held_because is null
                    and tenant_id not in (
                        select write_back_guards.tenant_id
                        from operations.write_back_guards
                        where is_tripped
                    )
                )
            )
    ),

    counted as (
        select
            tenant_id,
            tenant_slug,
            batch_number,
            count(*)::integer as customers_count,
            nextval(pg_get_serial_sequence('operations.write_back_batches', 'batch_id'))
                as batch_id
        from pending
        group by tenant_id, tenant_slug, batch_number
        order by tenant_slug, batch_number
    ),

    batches as (
        insert into operations.write_back_batches (
            batch_id, logid, tenant_id, tenant_slug, state, customers_count
        )
        overriding system value
        select batch_id, run_logid, tenant_id::text, tenant_slug, 'planned', customers_count
        from counted
        returning batch_id
    ),

    changes as (
        insert into operations.write_back_changes (
            batch_id, tenant_id, customer_id, column_name, old_value, new_value,
            reason, state
        )
        select
            counted.batch_id,
            pending.tenant_id::text,
            pending.customer_id::text,
            written_back.column_name,
            -- as it stands there, for a date could be an instant, which is put back as such
            to_jsonb(target) ->> written_back.column_name,
            value.expected,
            case written_back.column_name
                when 'account_type' then pending.account_type_reason
                else pending.risk_status_reason
            end,
            'planned'
        from pending
        inner join counted
            on
                pending.tenant_id = counted.tenant_id
                and pending.batch_number = counted.batch_number
        inner join analytics_internal.stg_orders__customer_statuses as target
            on
                pending.tenant_id = target.tenant_id
                and pending.customer_id = target.customer_id
        cross join (
            values
            ('account_type'), ('risk_status'), ('last_order_date'),
            ('next_expected_order_date'), ('average_order_interval_days'),
            ('dormancy_since'), ('reactivated_date')
        ) as written_back (column_name)
        cross join lateral (
            select
                to_jsonb(pending) ->> ('current_' || written_back.column_name) as current,
                to_jsonb(pending) ->> ('expected_' || written_back.column_name) as expected
        ) as value
        where value.current is distinct from value.expected
    )

    select batches.batch_id from batches order by batches.batch_id;
end
$plan$;
comment on function operations.plan_write_back is
'customer_health: Record what the write-back may change, in batches of one tenant;
return their ids. forced: what the guards hold, too.';

create or replace function operations.planned_rows(this_batch bigint, customers text[])
returns table (customer_key jsonb, customer_id text, old_values jsonb, new_values jsonb)
language sql stable as $planned$
    select
        jsonb_build_object('tenant_id', tenant_id, 'customer_id', customer_id),
        customer_id,
        jsonb_object_agg(column_name, old_value),
        jsonb_object_agg(column_name, new_value)
    from operations.write_back_changes
    where
        batch_id = this_batch
        and customer_id = any(customers)
    group by tenant_id, customer_id
$planned$;
comment on function operations.planned_rows is
'customer_health: One row per customer of a batch: its key, and its changed columns
before and after. The key gets its types from pending_customer_updates, for of the
operational row there may be columns that must not be NULL.';

create or replace function operations.put_values(this_batch bigint, new_values jsonb)
returns text[]
language plpgsql set timezone = 'UTC' as $put$
-- Put these values, by customer and column, into the rows of customers of a batch that are
-- locked. Each is put in as its column's type takes it. Only the columns of the batch are
-- named, for others may be such that nobody can write.
declare
    columns constant text := (
        select string_agg(distinct quote_ident(changes.column_name), ', ')
        from operations.write_back_changes as changes
        where changes.batch_id = this_batch
    );
    written text[];
begin
    execute format(
        $update$
        with updated as (
            update analytics_internal.stg_orders__customer_statuses as target
            set (%1$s) = (
                select %1$s
                from jsonb_populate_record(target, $2 -> planned.customer_id) as new
            )
            from operations.planned_rows($1, array(select jsonb_object_keys($2))) as planned
            cross join lateral jsonb_populate_record(
                null::operations.pending_customer_updates, planned.customer_key
            ) as key
            where
                key.tenant_id = target.tenant_id
                and key.customer_id = target.customer_id
            returning planned.customer_id
        )

        select array_agg(customer_id) from updated
        $update$,
        columns
    ) using this_batch, new_values into written;
    return written;
end
$put$;
comment on function operations.put_values is
'customer_health: Put values into the operational rows of customers of a batch; return
the customers.';

create or replace function operations.write_batch(this_batch bigint, customers text[])
returns table (outcome text, customers_count bigint)
language plpgsql set lock_timeout = '2s' set timezone = 'UTC' as $write$
declare
    present text[];
    locked text[];
    written text[];
    -- by customer, what is to be put in where the values are still those that were compared
    unchanged jsonb;
begin
    -- what we write ourselves changes no status, so the change queue need not hear of it
    perform set_config('customer_health.is_writing_back', 'on', true);

    -- in the order of the key, so that two writers cannot wait for each other; rows that
    -- are in use are left for the next run
    select array_agg(held.customer_id) into locked
    from (
        select planned.customer_id
        from operations.planned_rows(this_batch, customers) as planned
        cross join lateral jsonb_populate_record(
            null::operations.pending_customer_updates, planned.customer_key
        ) as key
        inner join analytics_internal.stg_orders__customer_statuses as target
            on
                key.tenant_id = target.tenant_id
                and key.customer_id = target.customer_id
        where not target.is_closed
        order by target.tenant_id, target.customer_id
        for no key update of target skip locked
    ) as held;

    select jsonb_object_agg(planned.customer_id, planned.new_values) into unchanged
    from operations.planned_rows(this_batch, locked) as planned
    cross join lateral jsonb_populate_record(
        null::operations.pending_customer_updates, planned.customer_key
    ) as key
    inner join analytics_internal.stg_orders__customer_statuses as target
        on
            key.tenant_id = target.tenant_id
            and key.customer_id = target.customer_id
    where
        not exists (
            select
            from jsonb_each_text(planned.old_values) as compared
            where to_jsonb(target) ->> compared.key is distinct from compared.value
        );

    if unchanged is not null then
        written := operations.put_values(this_batch, unchanged);
    end if;

    select array_agg(planned.customer_id) into present
    from operations.planned_rows(this_batch, customers) as planned
    cross join lateral jsonb_populate_record(
        null::operations.pending_customer_updates, planned.customer_key
    ) as key
    inner join analytics_internal.stg_orders__customer_statuses as target
        on
            key.tenant_id = target.tenant_id
            and key.customer_id = target.customer_id
    where not target.is_closed;

    return query
    with judged as (
        update operations.write_back_changes as changes
        set
            state = case
                when changes.customer_id = any(written) then 'written'
                when changes.customer_id = any(locked) then 'conflict'
                when changes.customer_id = any(present) then 'locked'
                else 'gone'
            end
        where
            changes.batch_id = this_batch
            and changes.customer_id = any(customers)
        returning changes.customer_id, changes.state
    )

    select
        judged.state,
        count(distinct judged.customer_id)
    from judged
    group by judged.state;
end
$write$;
comment on function operations.write_batch is
'customer_health: Write the planned changes of these customers, and say how many went
how.';

create or replace function operations.rollback_batch(this_batch bigint)
returns table (outcome text, values_count bigint)
language plpgsql set lock_timeout = '2s' set timezone = 'UTC' as $rollback$
declare
    customers constant text[] := array(
        select changes.customer_id
        from operations.write_back_changes as changes
        where
            changes.batch_id = this_batch
            and changes.state = 'written'
    );
    present text[];
    locked text[];
    -- by customer, the values that are still ours, as they were
    ours jsonb;
begin
    perform set_config('customer_health.is_writing_back', 'on', true);

    select array_agg(held.customer_id) into locked
    from (
        select planned.customer_id
        from operations.planned_rows(this_batch, customers) as planned
        cross join lateral jsonb_populate_record(
            null::operations.pending_customer_updates, planned.customer_key
        ) as key
        inner join analytics_internal.stg_orders__customer_statuses as target
            on
                key.tenant_id = target.tenant_id
                and key.customer_id = target.customer_id
        order by target.tenant_id, target.customer_id
        for no key update of target skip locked
    ) as held;

    select
        array_agg(planned.customer_id),
        jsonb_object_agg(
            planned.customer_id,
            (
                select coalesce(
                    jsonb_object_agg(changes.column_name, changes.old_value), '{}'
                )
                from operations.write_back_changes as changes
                where
                    changes.batch_id = this_batch
                    and changes.customer_id = planned.customer_id
                    and changes.state = 'written'
                    -- as its column has it once it was put in
                    and to_jsonb(target) ->> changes.column_name
                    is not distinct from to_jsonb(
                        jsonb_populate_record(
                            target,
                            jsonb_build_object(changes.column_name, changes.new_value)
                        )
                    ) ->> changes.column_name
            )
        ) filter (where planned.customer_id = any(locked))
    into present, ours
    from operations.planned_rows(this_batch, customers) as planned
    cross join lateral jsonb_populate_record(
        null::operations.pending_customer_updates, planned.customer_key
    ) as key
    inner join analytics_internal.stg_orders__customer_statuses as target
        on
            key.tenant_id = target.tenant_id
            and key.customer_id = target.customer_id;

    perform operations.put_values(
        this_batch,
        (
            select jsonb_object_agg(old.customer_id, old.old_values)
            from jsonb_each(ours) as old (customer_id, old_values)
            where old.old_values != '{}'
        )
    );

    return query
    with judged as (
        select
            changes.customer_id,
            changes.column_name,
            case
                when ours -> changes.customer_id ? changes.column_name then 'rolled_back'
                when ours ? changes.customer_id then 'kept'
                when changes.customer_id = any(present) then 'locked'
                else 'gone'
            end as outcome
        from operations.write_back_changes as changes
        where
            changes.batch_id = this_batch
            and changes.state = 'written'
    ),

    marked as (
        update operations.write_back_changes as changes
        set state = 'rolled_back'
        from judged
        where
            changes.batch_id = this_batch
            and changes.customer_id = judged.customer_id
            and changes.column_name = judged.column_name
            and judged.outcome = 'rolled_back'
    )

    select
        judged.outcome,
        count(*)
    from judged
    group by judged.outcome;
end
$rollback$;
comment on function operations.rollback_batch is
'customer_health: Put back the values of a batch that are still ours, and say how many
went how: rolled_back, kept (changed by somebody since), locked (in use), gone.';
