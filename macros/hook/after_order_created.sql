{% macro after_order_created() -%}
{#-
The real-time hook: the trigger function that `customer-health hook install` uses on the
orders table, and the function behind it. The refresh creates them as a post-hook of
order_facts, so that hook and models change together. The hook runs inside the
application's transaction: it waits for no row, and its errors never reach the
application. It skips a column that does not accept its values, and does nothing in a
transaction that is not read committed. If no source has `hook:` there is no trigger
function; callers can still use the other one.
-#}
{%- set facts = this.include(database=false) -%}
{%- set orders = ref('stg_orders__orders').include(database=false) -%}
{%- set statuses = ref('stg_orders__customer_statuses').include(database=false) -%}
{%- set order_id_type = var('orders_order_id_type') -%}
{%- set order_id = key_of_hook() -%}
{#- only if it exists, looked up by name -#}
{%- do ref('written_columns') -%}
{%- set columns = status_columns() -%}
{%- set account_type = in_type_of_marts('target.account_type', columns) -%}
{%- set last_order_date = in_type_of_marts('target.last_order_date', columns) -%}
{%- set takes_type = columns.get('account_type', {}).takes_active -%}
{%- set takes_date = columns['last_order_date'].is_written -%}
{%- set takes_no_dormancy = columns['dormancy_since'].takes_null -%}
{%- set written = [] -%}
{%- for name, is_taken in [
    ('account_type', takes_type),
    ('last_order_date', takes_date),
    ('dormancy_since', takes_no_dormancy),
] if is_taken -%}
    {%- do written.append(name) -%}
{%- endfor -%}
create or replace function {{ in_operations('after_orders_created') }}(order_ids text[])
returns bigint
language plpgsql security definer
set search_path = pg_catalog, pg_temp
{%- if columns['last_order_date'].base_type == 'timestamptz' %}
-- time zone in which a date in a timestamptz column is midnight
set timezone = 'UTC'
{%- endif %}
-- waits at most this long for a table that is being altered; rows in use are skipped at
-- once
set lock_timeout = '50ms'
-- one plan per session, by index: planning each time takes longer than the work
set plan_cache_mode = force_generic_plan
as $hook$
declare
    this_instant constant timestamptz := clock_timestamp();
    orders_count bigint;
    telling {{ order_id_type }}[];
    was_writing constant text := current_setting('customer_health.is_writing_back', true);
begin
    {%- if var('citus') %}
    raise 'after_orders_created: not possible on Citus (docs/scale.md)'
        using errcode = 'feature_not_supported';
    {%- endif %}

    -- Read and write nothing where that could make the application's transaction fail
    -- later, for example at its commit.
    if current_setting('transaction_isolation') in ('repeatable read', 'serializable') then
        perform
            nextval('{{ in_operations("hook_skips") }}'),
            setval(
                '{{ in_operations("hook_skipped_at") }}',
                extract(epoch from clock_timestamp())::bigint
            );
        return null;
    end if;

    -- our views are detached for a migration: the refresh that creates them again sees
    -- the orders
    if exists (select from {{ in_operations('detached_views') }}) then
        return cardinality(order_ids);
    end if;

    -- most orders come from customers that are ACTIVE, and are not delivered yet
    select
        -- the same id in two tenants is one id
        count(distinct orders.order_id),
        array_agg(orders.order_id) filter (
            where
                {{ in_type_of_marts('statuses.account_type', columns) }}
                is distinct from 'ACTIVE'
                or orders.delivered_at is not null
        )
    into orders_count, telling
    from {{ orders }} as orders
    left join {{ statuses }} as statuses
        on
            orders.tenant_id = statuses.tenant_id
            and orders.customer_id = statuses.customer_id
    where orders.order_id = any(order_ids::{{ order_id_type }}[]);

    if telling is null {{- ' or true' if not written }} then
        return orders_count;
    end if;
    {%- if written %}

    -- the order itself is already in the change queue
    perform set_config('customer_health.is_writing_back', 'on', true);

    with news as (
        select
            tenant_id,
            customer_id,
            bool_or(
                placed_at <= this_instant
                and {{ local_date('this_instant', 'time_zone') }} < target_on
            ) as is_active,
            bool_or(
                delivered_at <= this_instant
                and {{ local_date('this_instant', 'time_zone') }} < dormant_on
            ) as is_awake,
            max(delivered_at) filter (where delivered_at <= this_instant) as delivered_at,
            max(delivered_on) filter (where delivered_at <= this_instant) as delivered_on
        from {{ facts }}
        where order_id = any(telling)
        group by tenant_id, customer_id
    ),

    -- only forward in time, and locked in the order of the key; rows in use wait for
    -- the refresh
    held as (
        select
            target.tenant_id,
            target.customer_id,
            moved.changes
        from news
        inner join {{ statuses }} as target
            on
                news.tenant_id = target.tenant_id
                and news.customer_id = target.customer_id
        cross join lateral (
            select
                '{}'::jsonb
                {%- if takes_type %}
                || case
                    when
                        news.is_active
                        and {{ account_type }} is distinct from 'ACTIVE'
                        and array_position(
                            {{ text_array(var('protected_account_types')) }},
                            {{ account_type }}
                        ) is null
                        then '{"account_type": "ACTIVE"}'
                    else '{}'
                end::jsonb
                {%- endif %}
                {%- if takes_date %}
                || case
                    when
                        (
                            news.delivered_on > {{ last_order_date }}
                            or {{ last_order_date }} is null
                        )
                        and news.delivered_on is not null
                        and not exists (
                            select from {{ orders }} as later
                            where
                                later.tenant_id = news.tenant_id
                                and later.customer_id = news.customer_id
                                and later.delivered_at > news.delivered_at
                                and later.delivered_at <= this_instant
                                and later.order_status != 'CANCELLED'
                                and later.is_valid
                        )
                        then jsonb_build_object('last_order_date', news.delivered_on)
                    else '{}'
                end
                {%- endif %}
                {%- if takes_no_dormancy %}
                || case
                    when news.is_awake and target.dormancy_since is not null
                        then '{"dormancy_since": null}'
                    else '{}'
                end::jsonb
                {%- endif %} as changes
        ) as moved
        where
            not target.is_closed
            and moved.changes != '{}'
        order by target.tenant_id, target.customer_id
        for no key update of target skip locked
    ),

    written as (
        update {{ statuses }} as target
        set ({{ written | join(', ') }}) = (
            -- converted to the types of their columns
            select {{ written | join(', ') }}
            from jsonb_populate_record(target, held.changes) as new
        )
        from held
        where
            held.tenant_id = target.tenant_id
            and held.customer_id = target.customer_id
        returning target.tenant_id, target.customer_id
    )

    -- a running refresh has not seen the order: its write-back must skip the customer
    insert into {{ in_operations('changed_keys') }} (system, kind, tenant, key, is_written)
    select
        'orders', 'customer', format('%s', tenant_id), format('%s', customer_id), true
    from written;

    perform set_config('customer_health.is_writing_back', coalesce(was_writing, ''), true);
    return orders_count;
    {%- endif %}
end
$hook$;

comment on function {{ in_operations('after_orders_created') }} is
'{{ our_mark() }}Updates the customers of these new orders, only forward in time:
account type, last delivery, dormancy. Returns how many of the orders exist, or NULL if
it does nothing because the transaction is not read committed. Other columns wait for
the next refresh.';
revoke all on function {{ in_operations('after_orders_created') }} from public
{%- if order_id %};

create or replace function {{ in_operations('after_order_created') }}()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '50ms'
as $trigger$
declare
    calls text;
begin
    -- text by format(), not by a cast, which the table's owner could have defined
    perform {{ in_operations('after_orders_created') }}(
        array(select format('%s', {{ adapter.quote(order_id) }}) from new_rows)
    );
    return null;
exception when others or query_canceled or assert_failure then
    -- If the insert is the whole statement, nothing is left to cancel. Within a longer
    -- statement, such as a loop, a cancel or a timeout must take effect.
    get diagnostics calls = pg_context;
    -- The values of parameters may come last (log_parameter_max_length_on_error), in
    -- any language: `portal "name" with parameters: $1 = ...`.
    calls := regexp_replace(calls, '\n[^\n"]*("[^\n"]*"[^\n"]*)?\$1 = .*', '');
    if sqlstate = '57014' and calls like e'%\n%' then
        raise;
    end if;
    begin
        insert into {{ in_operations('hook_errors') }} (hook, relation, error)
        values ('after_order_created', tg_relid::regclass::text, sqlerrm);
    exception when others or assert_failure then
        raise warning 'customer_health could not log an error of its hook: %', sqlerrm;
    end;
    return null;
end
$trigger$;

comment on function {{ in_operations('after_order_created') }} is
'{{ our_mark() }}The statement trigger on orders that `customer-health hook install`
creates.';
revoke all on function {{ in_operations('after_order_created') }} from public
{%- endif %}
{%- endmacro %}
