{% macro explain_risk_status() -%}
{#-
explain_risk_status(tenant, customer), a post-hook of the view of this name: the orders
of one customer, each with the figures of customer_risk_status and
customer_account_types that it contributes to. It reads the application through its
index; rows that changed after the refresh are marked. A mart selects only its
publication, so it cannot have this hook.
-#}
{%- set risk_status = ref('customer_risk_status').include(database=false) -%}
{%- set account_types = ref('customer_account_types').include(database=false) -%}
{%- set tenants = ref('tenants').include(database=false) -%}
{%- set order_days = ref('customer_order_days').include(database=false) -%}
{%- set orders = ref('stg_orders__orders').include(database=false) -%}
{%- set function = this.schema ~ '.explain_risk_status' -%}
-- `create or replace` gives an earlier version no new columns
do $change$
begin
    if
        pg_get_function_result(to_regprocedure('{{ function }}(text, text)'))
        not like '%placed_on date%'
    then
        drop function {{ function }}(text, text);
    end if;
end
$change$;

create or replace function {{ function }}(of_tenant text, of_customer text)
returns table (
    order_id text,
    order_status text,
    ordered_at timestamptz,
    delivered_at timestamptz,
    delivered_on date,
    delivery_number bigint,
    gap_days integer,
    amount numeric,
    currency text,
    counts_in text[],
    left_out_because text,
    has_changed_since boolean,
    placed_on date,
    created_at timestamptz,
    updated_at timestamptz
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $explain$
#variable_conflict use_column
{{ only_for_readers_of(
    risk_status, 'orders', var('orders_tenant_id_type'), var('orders_customer_id_type')
) }}
    return query
    with asked as (
        select
            customers.tenant_id,
            customers.customer_id,
            customers.last_ordered_at,
            tenants.as_of,
            tenants.time_zone,
            tenants.cadence_orders,
            tenants.recent_orders,
            tenants.recent_orders + tenants.baseline_orders as compared_orders,
            risk_status.average_order_interval_days is not null as is_measured,
            risk_status.revenue_basis != 'MIXED_CURRENCY' as is_one_currency,
            risk_status.reactivated_date,
            -- the order day before the one that ended a dormancy
            (
                select max(days.delivered_on)
                from {{ order_days }} as days
                where
                    -- again by the arguments, which tell Citus the node
                    days.tenant_id = asked_tenant
                    and days.customer_id = asked_customer
                    and days.delivered_on < risk_status.reactivated_date
            ) as silent_since
        from {{ account_types }} as customers
        inner join {{ tenants }} as tenants
            on customers.tenant_id = tenants.tenant_id
        left join {{ risk_status }} as risk_status
            on
                customers.tenant_id = risk_status.tenant_id
                and customers.customer_id = risk_status.customer_id
        where
            customers.tenant_id = asked_tenant
            and customers.customer_id = asked_customer
    ),

    given as (
        select
            asked.*,
            orders.order_id,
            orders.order_status,
            -- left-out rows may hold dates that no client can read
            {{ plausible('orders.ordered_at') }} as ordered_at,
            {{ plausible('orders.delivered_at') }} as delivered_at,
            {{ local_date(plausible('orders.delivered_at'), 'asked.time_zone') }}
                as delivered_on,
            orders.total_cents,
            orders.currency,
            orders.quarantine_reason,
            {{ plausible('orders.created_at') }} as created_at,
            {{ plausible('orders.updated_at') }} as updated_at,
            orders.updated_at > asked.as_of as has_changed_since,
            orders.is_valid
            and orders.order_status != 'CANCELLED'
            and coalesce(orders.delivered_at <= asked.as_of, false) as is_delivered,
            orders.is_valid
            and orders.order_status not in ('DRAFT', 'CANCELLED')
            and coalesce(orders.ordered_at <= asked.as_of, false) as is_placed
        from asked
        inner join {{ orders }} as orders
            on
                asked.tenant_id = orders.tenant_id
                and asked.customer_id = orders.customer_id
    ),

    numbered as (
        select
            *,
            row_number() over in_sequence as place,
            count(*) over (partition by is_delivered) as deliveries,
            delivered_on - lag(delivered_on) over in_sequence as days_before
        from given
        window in_sequence as (
            partition by is_delivered
            -- as in int_deliveries
            order by
                delivered_on,
                delivered_at,
                {{ by_code_point('order_id', var('orders_order_id_type')) }}
        )
    ),

    -- 1 is the last delivery
    placed as (
        select
            *,
            case when is_delivered then place end as number,
            case when is_delivered then deliveries - place + 1 end as number_from_last
        from numbered
    ),

    parts as (
        select
            *,
            coalesce(is_measured and number_from_last <= cadence_orders, false)
                as is_of_cadence,
            coalesce(
                is_one_currency and total_cents > 0 and number_from_last <= recent_orders,
                false
            ) as is_recent,
            coalesce(
                is_one_currency and total_cents > 0
                and number_from_last > recent_orders
                and number_from_last <= compared_orders,
                false
            ) as is_baseline,
            coalesce(delivered_on in (reactivated_date, silent_since), false)
            and is_delivered as is_of_reactivation
        from placed
    )

    select
        parts.order_id::text,
        parts.order_status::text,
        parts.ordered_at,
        parts.delivered_at,
        parts.delivered_on,
        parts.number,
        case when parts.is_delivered then parts.days_before end,
        round(parts.total_cents / 100.0, 2),
        parts.currency::text,
        array_remove(
            array[
                case when parts.is_delivered then 'total_delivered_orders' end,
                case when parts.number_from_last = 1 then 'last_order_date' end,
                case when parts.is_of_cadence then 'average_order_interval_days' end,
                case
                    when parts.is_of_cadence or parts.number_from_last = 1
                        then 'next_expected_order_date'
                end,
                case
                    when parts.number_from_last <= parts.compared_orders
                        then 'revenue_basis'
                end,
                case when parts.is_recent then 'recent_average_amount' end,
                case when parts.is_baseline then 'baseline_average_amount' end,
                case when parts.is_of_reactivation then 'reactivated_date' end,
                case
                    when parts.is_placed and parts.ordered_at = parts.last_ordered_at
                        then 'last_ordered_at'
                end
            ],
            null
        ),
        case
            when parts.quarantine_reason is not null then parts.quarantine_reason
            when parts.order_status = 'CANCELLED' then 'cancelled'
            when parts.delivered_at > parts.as_of then 'after_the_refresh'
            when parts.delivered_at is null and parts.order_status = 'DRAFT' then 'draft'
            when parts.delivered_at is null then 'not_delivered'
        end,
        coalesce(parts.has_changed_since, false),
        case
            when parts.is_placed
                then {{ local_date('parts.ordered_at', 'parts.time_zone') }}
        end,
        parts.created_at,
        parts.updated_at
    from parts
    order by
        parts.number_from_last asc nulls last,
        parts.ordered_at desc nulls last,
        parts.order_id asc;
end
$explain$;

comment on function {{ function }} is
'{{ our_mark() }}The current orders of one customer in the application, each with the
figures of risk status and account type that it contributes to.'
{%- endmacro %}
