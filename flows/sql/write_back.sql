-- The write-back: plan the changes, then write them batch by batch. The plan comes from
-- the view pending_customer_updates, and the values go through the views
-- stg_orders__customer_statuses and input_orders__customer_statuses; only the latter
-- knows the operational names. A value is stored as text in the form of its column's
-- type, instants in UTC.

create or replace function operations.give_up_batches(run_logid text, failed jsonb)
returns void
language sql as $give_up$
-- Abandon the unfinished batches of a run, or of every run for NULL; the next run plans
-- them again. failed: the error by slug of tenant, which the later batches of the
-- tenant show.
    with ended as (
        update operations.write_back_batches
        set
            state = 'abandoned',
            error = case
                when failed ? tenant_slug
                    then 'an earlier batch failed: ' || (failed ->> tenant_slug)
                else 'the run ended first'
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
'customer_health: Abandons the batches that a run has planned and not tried.';

create or replace function operations.plan_write_back(
    run_logid text,
    only_tenant text,
    batch_size integer,
    forced boolean,
    held_tenants text[] default '{}'
)
returns setof bigint
language plpgsql set timezone = 'UTC' as $plan$
begin
    -- abandon what a dead run had planned: it is planned again
    perform operations.give_up_batches(null, '{}');

    return query
    with pending as (
        select
            compared.*,
            -- read with the comparison: Citus runs each step of this statement by itself,
            -- and a value that changed in between would be overwritten
            to_jsonb(target) as stored,
            (
                row_number()
                    over (partition by compared.tenant_id order by compared.customer_id)
                - 1
            ) / batch_size as batch_number
        from operations.pending_customer_updates as compared
        inner join analytics_internal.stg_orders__customer_statuses as target
            on
                compared.tenant_id = target.tenant_id
                and compared.customer_id = target.customer_id
        where
            (only_tenant is null or compared.tenant_slug = only_tenant)
            and (
                forced
                or (
                    compared.held_because is null
                    and compared.tenant_slug != all(held_tenants)
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
            -- the value as stored, because a date may be stored as an instant, and
            -- rollback restores it as such
            pending.stored ->> written_back.column_name,
            to_jsonb(pending) ->> ('expected_' || written_back.column_name),
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
        cross join (
            values
            ('account_type'), ('risk_status'), ('last_order_date'),
            ('next_expected_order_date'), ('average_order_interval_days'),
            ('dormancy_since'), ('reactivated_date')
        ) as written_back (column_name)
        where
            to_jsonb(pending) ->> ('current_' || written_back.column_name)
            is distinct from to_jsonb(pending) ->> ('expected_' || written_back.column_name)
    )

    select batches.batch_id from batches order by batches.batch_id;
end
$plan$;
comment on function operations.plan_write_back is
'customer_health: Records what the write-back may change, in batches of one tenant;
returns their ids. held_tenants: slugs of the tenants whose guards are tripped. forced:
also what is held.';

create or replace function operations.leave_new_orders(this_batch bigint)
returns void
language plpgsql as $leave$
-- What customer_comparisons leaves alone, once more, right before the batch is written:
-- the hook has written the customer, or it had nothing to write because the customer
-- is ACTIVE. The plan has none of these, so the order has come since. As there, a key
-- has the blanks of char(n), which a cast to text loses.
begin
    if to_regclass('operations.changed_keys') is null then
        return;
    end if;

    update operations.write_back_changes as changes
    set state = 'conflict'
    where
        changes.batch_id = this_batch
        and changes.customer_id in (
            select planned.customer_id
            from operations.write_back_changes as planned
            inner join operations.changed_keys as noticed
                on
                    rtrim(planned.tenant_id) = rtrim(noticed.tenant)
                    and rtrim(planned.customer_id) = rtrim(noticed.key)
            where
                planned.batch_id = this_batch
                and noticed.system = 'orders'
                and noticed.kind = 'customer'
                and (
                    noticed.is_written
                    or (
                        planned.column_name = 'account_type'
                        and rtrim(planned.old_value) = 'ACTIVE'
                    )
                )
        );
end
$leave$;
comment on function operations.leave_new_orders is
'customer_health: Leaves out the customers of a batch that have ordered since it was
planned.';

create or replace function operations.planned_rows(this_batch bigint, customers text[])
returns table (customer_id text, old_values jsonb, new_values jsonb)
language sql stable as $planned$
    select
        customer_id,
        jsonb_object_agg(column_name, old_value),
        jsonb_object_agg(column_name, new_value)
    from operations.write_back_changes
    where
        batch_id = this_batch
        and customer_id = any(customers)
    group by customer_id
$planned$;
comment on function operations.planned_rows is
'customer_health: One row per customer of a batch: its changed columns before and
after.';

create or replace function operations.rows_of_customers(
    this_batch bigint, customers text[], of_which text, locking text
)
returns jsonb
language plpgsql set timezone = 'UTC' as $rows$
-- The operational rows of a batch's customers, by customer. Tenant and customers are
-- literals, which take the types of the columns; Citus finds the node by the tenant.
declare
    found jsonb;
begin
    execute format(
        $select$
        select jsonb_object_agg(held.customer_id::text, held.values)
        from (
            select
                target.customer_id,
                to_jsonb(target) as values
            from analytics_internal.stg_orders__customer_statuses as target
            where
                target.tenant_id = %L
                and target.customer_id = any(%L)
                and %s
            order by target.customer_id
            %s
        ) as held
        $select$,
        (select tenant_id from operations.write_back_batches where batch_id = this_batch),
        customers,
        of_which,
        locking
    ) into found;
    return coalesce(found, '{}');
end
$rows$;
comment on function operations.rows_of_customers is
'customer_health: The operational rows of a batch''s customers, by customer.';

create or replace function operations.put_into_distributed_table(
    this_batch bigint, tenant text, new_values jsonb
)
returns text
language plpgsql as $statement$
-- The statement that writes these values into the table itself, if Citus has
-- distributed it: Citus cannot update through a view and needs values of the exact
-- types. NULL if the table is not distributed.
declare
    relation text;
    keys constant jsonb := (
        select jsonb_object_agg(origins.column_name, to_jsonb(origins))
        from operations.operational_origins as origins
        where origins.column_name in ('tenant_id', 'customer_id')
    );
    assignments text;
    names text;
    new_rows text;
begin
    select max(origins.relation) into relation
    from operations.operational_origins as origins
    where origins.column_name not in ('tenant_id', 'customer_id');

    if not exists (
        select from pg_dist_partition where logicalrelid = relation::regclass
    ) then
        return null;
    end if;
    if keys -> 'tenant_id' is null or keys -> 'customer_id' is null then
        raise 'input_orders__customer_statuses must give tenant_id and customer_id as they'
            ' are in the table, because Citus has distributed it';
    end if;

    with columns as (
        select
            column_name,
            origin,
            type_name
        from operations.operational_origins
        where
            column_name in (
                select changes.column_name
                from operations.write_back_changes as changes
                where changes.batch_id = this_batch
            )
    ),

    new_values_of_rows as (
        select
            format(
                '(%L::%s, %s)',
                given.customer_id,
                keys -> 'customer_id' ->> 'type_name',
                string_agg(
                    format(
                        '%L::%s, %L::boolean',
                        given.of_columns ->> columns.column_name,
                        columns.type_name,
                        given.of_columns ? columns.column_name
                    ),
                    ', ' order by columns.column_name
                )
            ) as new_row
        from jsonb_each(new_values) as given (customer_id, of_columns)
        cross join columns
        group by given.customer_id
    )

    select
        string_agg(
            format(
                '%1$I = case when new.%2$I then new.%3$I else target.%1$I end',
                origin, 'has_' || column_name, column_name
            ),
            ', '
        ),
        string_agg(
            format('%I, %I', column_name, 'has_' || column_name),
            ', ' order by column_name
        ),
        (select string_agg(new_row, ', ') from new_values_of_rows)
    into assignments, names, new_rows
    from columns;

    return format(
        $update$
        with updated as (
            update %s as target
            set %s
            from (values %s) as new (customer_id, %s)
            where
                target.%I = %L
                and target.%I = new.customer_id
            returning new.customer_id::text
        )

        select array_agg(customer_id) from updated
        $update$,
        relation,
        assignments,
        new_rows,
        names,
        keys -> 'tenant_id' ->> 'origin',
        tenant,
        keys -> 'customer_id' ->> 'origin'
    );
end
$statement$;
comment on function operations.put_into_distributed_table is
'customer_health: The statement that writes values into a table that Citus has
distributed.';

create or replace function operations.put_values(this_batch bigint, new_values jsonb)
returns jsonb
language plpgsql set timezone = 'UTC' as $put$
-- Write these values, by customer and column, into the locked rows of a batch's
-- customers, each converted to its column's type. Only the columns of the batch are
-- named, because others may not be writable. Return by customer those that the row
-- holds now: a trigger of the application may keep the row or some of its columns. NULL:
-- there are none.
declare
    tenant constant text := (
        select tenant_id from operations.write_back_batches where batch_id = this_batch
    );
    written jsonb;
    in_table text;
    customers text[];
begin
    if new_values is null then
        return null;
    end if;
    if to_regclass('pg_catalog.pg_dist_partition') is not null then
        in_table := operations.put_into_distributed_table(this_batch, tenant, new_values);
    end if;
    if in_table is not null then
        -- a distributed table has no triggers
        execute in_table into customers;
        return (
            select jsonb_object_agg(customer_id, new_values -> customer_id)
            from unnest(customers) as customer_id
        );
    end if;
    execute format(
        $update$
        with updated as (
            update analytics_internal.stg_orders__customer_statuses as target
            set (%1$s) = (
                select %1$s
                from jsonb_populate_record(target, $1 -> target.customer_id::text) as new
            )
            where
                target.tenant_id = %2$L
                and target.customer_id = any(%3$L)
            returning
                target.customer_id::text as customer_id,
                to_jsonb(target) as held,
                -- in the form that their columns store
                to_jsonb(
                    jsonb_populate_record(target, $1 -> target.customer_id::text)
                ) as asked
        )

        select
            jsonb_object_agg(
                updated.customer_id,
                (
                    select jsonb_object_agg(given.column_name, given.value)
                    from jsonb_each($1 -> updated.customer_id) as given (column_name, value)
                    where
                        updated.held -> given.column_name
                        = updated.asked -> given.column_name
                )
            )
        from updated
        $update$,
        (
            select string_agg(distinct quote_ident(changes.column_name), ', ')
            from operations.write_back_changes as changes
            where changes.batch_id = this_batch
        ),
        tenant,
        array(select jsonb_object_keys(new_values))
    ) using new_values into written;
    return written;
end
$put$;
comment on function operations.put_values is
'customer_health: Writes values into the operational rows of a batch''s customers;
returns by customer what the row holds now.';

create or replace function operations.write_batch(this_batch bigint, customers text[])
returns table (outcome text, customers_count bigint)
language plpgsql
set lock_timeout = '2s' set timezone = 'UTC' set row_security = on
as $write$
-- With row security on, because the role that writes may need a policy. name_hidden_rows
-- tells what a policy hides.
declare
    -- the operational rows by customer: those that exist, and those that we have locked
    present jsonb;
    locked jsonb;
    written jsonb;
    -- by customer, the new values if the current ones are still those that were
    -- compared
    unchanged jsonb;
begin
    -- our own writes change no status, so the change queue must ignore them
    perform set_config('customer_health.is_writing_back', 'on', true);

    -- in the order of the key, so that two writers cannot deadlock; rows in use are
    -- left for the next run
    locked := operations.rows_of_customers(
        this_batch,
        customers,
        'not target.is_closed',
        'for no key update of target skip locked'
    );

    select jsonb_object_agg(planned.customer_id, planned.new_values) into unchanged
    from operations.planned_rows(this_batch, customers) as planned
    where
        locked ? planned.customer_id
        and not exists (
            select
            from jsonb_each_text(planned.old_values) as compared
            where
                locked -> planned.customer_id ->> compared.key
                is distinct from compared.value
        );

    written := operations.put_values(this_batch, unchanged);

    present := operations.rows_of_customers(
        this_batch, customers, 'not target.is_closed', ''
    );

    return query
    with judged as (
        update operations.write_back_changes as changes
        set
            state = case
                when written -> changes.customer_id ? changes.column_name then 'written'
                when locked ? changes.customer_id then 'conflict'
                when present ? changes.customer_id then 'locked'
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
'customer_health: Writes the planned changes of these customers; returns their number by
outcome.';

create or replace function operations.name_hidden_rows(this_batch bigint)
returns void
language plpgsql as $hidden$
-- What a policy hides from the role that writes is not gone. Called by the refresher,
-- who sees all rows.
declare
    missed constant text[] := array(
        select changes.customer_id
        from operations.write_back_changes as changes
        where
            changes.batch_id = this_batch
            and changes.state = 'gone'
    );
    present jsonb;
begin
    if missed = '{}' then
        return;
    end if;
    present := operations.rows_of_customers(
        this_batch, missed, 'not target.is_closed', ''
    );

    update operations.write_back_changes as changes
    set
        state = 'error',
        error = 'a row security policy hides this customer from the write-back'
    where
        changes.batch_id = this_batch
        and changes.state = 'gone'
        and present ? changes.customer_id;
end
$hidden$;
comment on function operations.name_hidden_rows is
'customer_health: Marks the customers of a batch as errors that a policy has hidden.';

create or replace function operations.rollback_batch(this_batch bigint)
returns table (outcome text, values_count bigint)
language plpgsql
set lock_timeout = '2s' set timezone = 'UTC' set row_security = on
as $rollback$
declare
    customers constant text[] := array(
        select changes.customer_id
        from operations.write_back_changes as changes
        where
            changes.batch_id = this_batch
            and changes.state = 'written'
    );
    -- the operational rows by customer: those that exist, and those that we have locked
    present jsonb;
    locked jsonb;
    -- by customer, the old values of those columns that still hold our values
    ours jsonb;
    restored jsonb;
begin
    perform set_config('customer_health.is_writing_back', 'on', true);

    locked := operations.rows_of_customers(
        this_batch, customers, 'true', 'for no key update of target skip locked'
    );
    present := operations.rows_of_customers(this_batch, customers, 'true', '');

    select jsonb_object_agg(held.customer_id, held.old_values) into ours
    from (
        select
            changes.customer_id,
            coalesce(
                jsonb_object_agg(changes.column_name, changes.old_value) filter (
                    where
                    -- our value in the form that its column stores
                    locked -> changes.customer_id ->> changes.column_name
                    is not distinct from to_jsonb(
                        jsonb_populate_record(
                            null::analytics_internal.stg_orders__customer_statuses,
                            -- the whole row, because some columns must not be NULL
                            locked -> changes.customer_id
                            || jsonb_build_object(changes.column_name, changes.new_value)
                        )
                    ) ->> changes.column_name
                ),
                '{}'
            ) as old_values
        from operations.write_back_changes as changes
        where
            changes.batch_id = this_batch
            and changes.state = 'written'
            and locked ? changes.customer_id
        group by changes.customer_id
    ) as held;

    restored := operations.put_values(
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
                when
                    ours -> changes.customer_id ? changes.column_name
                    and restored -> changes.customer_id ? changes.column_name
                    then 'rolled_back'
                when ours ? changes.customer_id then 'kept'
                when present ? changes.customer_id then 'locked'
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
'customer_health: Restores the old values where ours are unchanged; returns their number
by outcome: rolled_back, kept (changed by somebody since, or kept by a trigger), locked
(row in use), gone.';
