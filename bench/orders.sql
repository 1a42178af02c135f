-- The result of the orders models as one handwritten statement, the best we could
-- write. Thresholds are constants and every row counts as valid, so it does less than
-- the models. It fills seven empty tables in the schema hand with the rows of the
-- marts.
with tenants as (
    select
        id as tenant_id,
        time_zone,
        (%(as_of)s::timestamptz at time zone time_zone)::date as today
    from commerce.tenants
    where is_active
),

customers as (
    select
        customers.tenant_id,
        customers.id as customer_id,
        customers.name as customer_name,
        customers.sales_rep_id,
        (customers.created_at at time zone tenants.time_zone)::date as created_on,
        tenants.time_zone,
        tenants.today
    from commerce.customers
    inner join tenants on customers.tenant_id = tenants.tenant_id
    where not customers.is_closed
),

neighbours as (
    select
        tenant_id,
        customer_id,
        order_id,
        delivered_at,
        delivered_on,
        cents,
        currency,
        row_number() over in_sequence as delivery_number,
        lead(delivered_on) over in_sequence as next_delivered_on,
        lead(delivered_on, 24) over in_sequence is null as is_recent,
        first_value(delivered_on) over in_sequence as first_delivered_on,
        delivered_on - lag(delivered_on) over in_sequence as gap_days,
        currency is distinct from lag(currency, 1, currency) over in_sequence as changed
    from (
        select
            orders.tenant_id,
            orders.customer_id,
            orders.id as order_id,
            orders.delivered_at,
            (orders.delivered_at at time zone customers.time_zone)::date as delivered_on,
            case
                when orders.total_amount > 0 then (orders.total_amount * 100)::bigint
            end as cents,
            orders.currency
        from commerce.orders
        inner join customers
            on
                orders.tenant_id = customers.tenant_id
                and orders.customer_id = customers.customer_id
        where
            orders.delivered_at <= %(as_of)s
            and orders.delivered_at >= '1970-01-01'
            and orders.ordered_at >= '1970-01-01'
            and orders.status != 'CANCELLED'
        offset 0
    ) as delivered
    window in_sequence as (
        partition by customer_id, tenant_id order by delivered_at, order_id
    )
),

last_orders as (
    select
        *,
        sum(gap_days) filter (where gap_days > 0) over last_4 as pace_days,
        count(*) filter (where gap_days > 0) over last_4 as pace_gaps,
        sum(cents) over last_3 as recent_cents,
        count(cents) over last_3 as recent_count,
        sum(cents) over next_10 as baseline_cents,
        count(cents) over next_10 as baseline_count,
        count(*) filter (where changed) over last_12 > 0 as is_mixed,
        count(*) filter (where gap_days > 0) over so_far + 1 as order_day_number,
        coalesce(sum(cents) over so_far, 0)::bigint as total_cents,
        count(*) filter (where changed) over so_far > 0 as has_been_mixed
    from neighbours
    window
        in_sequence as (
            partition by customer_id, tenant_id order by delivered_at, order_id
        ),
        so_far as (in_sequence rows unbounded preceding),
        last_4 as (in_sequence rows 3 preceding),
        last_3 as (in_sequence rows 2 preceding),
        next_10 as (in_sequence rows between 12 preceding and 3 preceding),
        last_12 as (in_sequence rows 11 preceding)
),

deliveries as materialized (
    select
        tenant_id,
        customer_id,
        delivery_number,
        delivered_on,
        next_delivered_on,
        first_delivered_on,
        order_day_number,
        is_recent,
        cents,
        total_cents,
        has_been_mixed,
        orders_before_day,
        cents_before_day,
        currency,
        is_mixed,
        recent_cents,
        recent_count,
        baseline_cents,
        baseline_count,
        pace,
        coalesce(pace, 45) as cadence,
        delivered_on + coalesce(pace, 45) as expected_on,
        not is_mixed and recent_count >= 1 and baseline_count >= 2 as is_evaluated,
        not is_mixed
        and recent_count >= 1
        and baseline_count >= 2
        and (baseline_cents * recent_count - recent_cents * baseline_count) * 100
        >= 15 * baseline_cents * recent_count as is_declined
    from (
        select
            *,
            round(pace_days / nullif(pace_gaps, 0)::numeric)::integer as pace,
            -- totals only grow, so the largest total before a day is the total before
            -- this day
            max(delivery_number - 1) filter (where gap_days > 0) over so_far
                as orders_before_day,
            max(total_cents - coalesce(cents, 0)) filter (where gap_days > 0) over so_far
                as cents_before_day
        from last_orders
        window so_far as (
            partition by customer_id, tenant_id
            order by delivered_at, order_id
            rows unbounded preceding
        )
    ) as paced
),

order_days as (
    insert into hand.customer_order_days
    select
        tenant_id,
        customer_id,
        delivered_on,
        next_delivered_on,
        first_delivered_on,
        order_day_number,
        pace,
        is_evaluated,
        is_declined,
        delivery_number - coalesce(orders_before_day, 0),
        total_cents - coalesce(cents_before_day, 0),
        total_cents,
        case when not has_been_mixed then currency end,
        has_been_mixed
    from deliveries
    where next_delivered_on is distinct from delivered_on
),

closed_order_days as (
    insert into hand.closed_customer_order_days
    select
        tenant_id,
        customer_id,
        delivered_on,
        min(delivered_on) over (partition by customer_id, tenant_id),
        min(delivered_at)
    from (
        select
            orders.tenant_id,
            orders.customer_id,
            orders.delivered_at,
            (orders.delivered_at at time zone tenants.time_zone)::date as delivered_on
        from commerce.customers
        inner join tenants on customers.tenant_id = tenants.tenant_id
        inner join commerce.orders
            on
                customers.tenant_id = orders.tenant_id
                and customers.id = orders.customer_id
        where
            customers.is_closed
            and orders.delivered_at >= '1970-01-01'
            and orders.delivered_at < '2201-01-01'
            and orders.ordered_at >= '1970-01-01'
            and orders.status != 'CANCELLED'
    ) as delivered
    group by customer_id, tenant_id, delivered_on
),

recent_orders as (
    insert into hand.customer_recent_orders
    select
        tenant_id,
        customer_id,
        array_agg(delivered_on order by delivery_number desc),
        array_agg(cents order by delivery_number desc)
    from deliveries
    where is_recent
    group by customer_id, tenant_id
),

risk_steps as (
    select
        deliveries.tenant_id,
        deliveries.customer_id,
        step.status,
        step.begins_on,
        lag(step.status) over (
            partition by deliveries.customer_id, deliveries.tenant_id
            order by step.begins_on
        ) as previous_status
    from deliveries
    cross join lateral (
        values
        (
            case when is_declined then 'AT_RISK_REVENUE' else 'HEALTHY' end,
            delivered_on
        ),
        ('AT_RISK_CADENCE', expected_on + 1),
        ('DORMANT', expected_on + 45)
    ) as step (status, begins_on)
    where
        deliveries.next_delivered_on is null
        or step.begins_on < deliveries.next_delivered_on
),

risk_history as (
    insert into hand.customer_risk_status_history
    select
        tenant_id,
        customer_id,
        status,
        previous_status,
        begins_on,
        lead(begins_on) over (
            partition by customer_id, tenant_id order by begins_on
        ),
        'default'
    from risk_steps
    where status is distinct from previous_status
),

reactivations as (
    select
        tenant_id,
        customer_id,
        max(next_delivered_on) as reactivated_on
    from deliveries
    where next_delivered_on > expected_on + 45
    group by tenant_id, customer_id
),

orders_ahead as materialized (
    select
        tenant_id,
        customer_id,
        min(delivered_at) filter (where delivered_at > %(as_of)s) as next_delivered_at,
        min(ordered_at) filter (where ordered_at > %(as_of)s and status != 'DRAFT')
            as next_ordered_at
    from commerce.orders
    where
        status != 'CANCELLED'
        and ordered_at >= '1970-01-01'
        and (delivered_at < '2201-01-01' or delivered_at is null)
        and (delivered_at > %(as_of)s or ordered_at > %(as_of)s)
    group by tenant_id, customer_id
),

judged as (
    select
        customers.tenant_id,
        customers.customer_id,
        customers.customer_name,
        customers.sales_rep_id,
        customers.time_zone,
        latest.delivery_number,
        latest.delivered_on,
        latest.pace,
        latest.cadence,
        latest.expected_on,
        latest.expected_on + 1 as late_on,
        latest.expected_on + 45 as dormant_on,
        latest.recent_count,
        latest.baseline_count,
        latest.is_declined,
        case when not latest.is_mixed then latest.currency end as currency,
        case when latest.pace is null then 'FALLBACK' else 'MEASURED' end as source,
        case
            when latest.is_mixed then 'MIXED_CURRENCY'
            when latest.recent_count < 1 or latest.baseline_count < 2
                then 'INSUFFICIENT_HISTORY'
            else 'EVALUATED'
        end as basis,
        case
            when not latest.is_mixed
                then latest.recent_cents / nullif(100.0 * latest.recent_count, 0)
        end as recent_amount,
        case
            when not latest.is_mixed
                then latest.baseline_cents / nullif(100.0 * latest.baseline_count, 0)
        end as baseline_amount,
        case
            when not latest.is_mixed and latest.recent_count >= 1 and latest.baseline_count >= 2
                then trunc(
                    100.0 * (
                        latest.recent_cents * latest.baseline_count
                        - latest.baseline_cents * latest.recent_count
                    ) / (latest.baseline_cents * latest.recent_count), 2
                )
        end as change_pct,
        reactivations.reactivated_on,
        orders_ahead.next_delivered_at,
        case
            when customers.today >= latest.expected_on + 45 then 'DORMANT'
            when customers.today > latest.expected_on then 'AT_RISK_CADENCE'
            when latest.is_declined then 'AT_RISK_REVENUE'
            else 'HEALTHY'
        end as status,
        format(
            'last delivery %%s, %%s gap %%s, expected %%s',
            to_char(latest.delivered_on, 'YYYY-MM-DD'),
            case when latest.pace is null then 'assumed' else 'usual' end,
            latest.cadence || case latest.cadence when 1 then ' day' else ' days' end,
            to_char(latest.expected_on, 'YYYY-MM-DD')
        ) as words,
        jsonb_build_object(
            'last_order_date', latest.delivered_on,
            'cadence_days', latest.cadence,
            'cadence_source',
            case when latest.pace is null then 'FALLBACK' else 'MEASURED' end,
            'next_expected_order_date', latest.expected_on
        ) as pace_inputs
    from customers
    inner join deliveries as latest
        on
            customers.tenant_id = latest.tenant_id
            and customers.customer_id = latest.customer_id
            and latest.next_delivered_on is null
    left join reactivations
        on
            customers.tenant_id = reactivations.tenant_id
            and customers.customer_id = reactivations.customer_id
    left join orders_ahead
        on
            customers.tenant_id = orders_ahead.tenant_id
            and customers.customer_id = orders_ahead.customer_id
),

dated as (
    select
        *,
        case status
            when 'AT_RISK_CADENCE' then dormant_on
            when 'DORMANT' then null
            else late_on
        end as changes_on
    from judged
),

risk_status as (
    insert into hand.customer_risk_status
    select
        tenant_id,
        customer_id,
        customer_name,
        sales_rep_id,
        status,
        case status
            when 'DORMANT' then format(
                'Dormant since %%s: %%s, limit 45 days late',
                to_char(dormant_on, 'YYYY-MM-DD'), words
            )
            when 'AT_RISK_CADENCE' then format(
                'Late since %%s: %%s, dormant on %%s without a delivery',
                to_char(late_on, 'YYYY-MM-DD'), words, to_char(dormant_on, 'YYYY-MM-DD')
            )
            when 'AT_RISK_REVENUE' then format(
                'Revenue down %%s %%%%: last %%s average %%s %%s, the %%s before %%s,'
                ' limit 15 %%%%; %%s',
                trim_scale(-change_pct),
                recent_count || case recent_count when 1 then ' order' else ' orders' end,
                round(recent_amount, 2), currency, baseline_count,
                round(baseline_amount, 2), words
            )
            else 'On time: ' || words
        end,
        jsonb_build_array(
            jsonb_build_object(
                'rule', 'DORMANT', 'fired', status = 'DORMANT', 'inputs', pace_inputs,
                'threshold', jsonb_build_object('dormant_days', 45), 'fires_on', dormant_on
            ),
            jsonb_build_object(
                'rule', 'AT_RISK_CADENCE',
                'fired', status in ('DORMANT', 'AT_RISK_CADENCE'), 'inputs', pace_inputs,
                'threshold', jsonb_build_object('grace_days', 1), 'fires_on', late_on
            ),
            jsonb_build_object(
                'rule', 'AT_RISK_REVENUE', 'fired', is_declined,
                'inputs', jsonb_build_object(
                    'revenue_basis', basis,
                    'recent_orders_count', recent_count,
                    'recent_average_amount', round(recent_amount, 2),
                    'baseline_orders_count', baseline_count,
                    'baseline_average_amount', round(baseline_amount, 2),
                    'currency', currency
                ),
                'threshold', jsonb_build_object('revenue_decline_pct', 15.00),
                'fires_after_pct', 15 + change_pct
            )
        ),
        delivered_on,
        delivery_number,
        pace,
        cadence,
        source,
        expected_on,
        case when status = 'DORMANT' then dormant_on end,
        case when status != 'DORMANT' then reactivated_on end,
        basis,
        currency,
        recent_amount,
        baseline_amount,
        change_pct,
        recent_amount * 30 / cadence,
        case status
            when 'AT_RISK_CADENCE' then 'DORMANT'
            when 'DORMANT' then null
            else 'AT_RISK_CADENCE'
        end,
        changes_on,
        'default',
        least(changes_on::timestamp at time zone time_zone, next_delivered_at)
    from dated
),

pauses as materialized (
    select *
    from (
        select
            orders.tenant_id,
            orders.customer_id,
            orders.ordered_at as last_ordered_at,
            orders.ordered_on as last_ordered_on,
            first_value(orders.ordered_on) over in_sequence as first_ordered_on,
            lead(orders.ordered_on) over in_sequence as next_ordered_on
        from (
            select
                orders.tenant_id,
                orders.customer_id,
                orders.ordered_at,
                (orders.ordered_at at time zone customers.time_zone)::date as ordered_on
            from commerce.orders
            inner join customers
                on
                    orders.tenant_id = customers.tenant_id
                    and orders.customer_id = customers.customer_id
            where
                orders.ordered_at <= %(as_of)s
                and orders.ordered_at >= '1970-01-01'
                and (orders.delivered_at < '2201-01-01' or orders.delivered_at is null)
                and orders.status not in ('DRAFT', 'CANCELLED')
            offset 0
        ) as orders
        window in_sequence as (
            partition by orders.customer_id, orders.tenant_id order by orders.ordered_at
        )
    ) as placed
    where next_ordered_on is null or next_ordered_on - last_ordered_on > 180
),

typed as (
    select
        customers.*,
        latest.last_ordered_at,
        latest.last_ordered_on,
        latest.first_ordered_on,
        orders_ahead.next_ordered_at,
        orders_ahead.next_delivered_at,
        case
            when customers.today - latest.last_ordered_on <= 180 then 'ACTIVE'
            when customers.today - latest.last_ordered_on <= 365 then 'TARGET'
            else 'PROSPECT'
        end as account_type
    from customers
    left join pauses as latest
        on
            customers.tenant_id = latest.tenant_id
            and customers.customer_id = latest.customer_id
            and latest.next_ordered_on is null
    left join orders_ahead
        on
            customers.tenant_id = orders_ahead.tenant_id
            and customers.customer_id = orders_ahead.customer_id
),

account_types as (
    insert into hand.customer_account_types
    select
        tenant_id,
        customer_id,
        customer_name,
        sales_rep_id,
        account_type,
        case
            when last_ordered_on is null then 'Prospect: never ordered'
            else format(
                '%%s: last order %%s, active until %%s, target until %%s',
                initcap(account_type),
                to_char(last_ordered_on, 'YYYY-MM-DD'),
                to_char(last_ordered_on + 180, 'YYYY-MM-DD'),
                to_char(last_ordered_on + 365, 'YYYY-MM-DD')
            )
        end,
        last_ordered_at,
        case account_type when 'ACTIVE' then 'TARGET' when 'TARGET' then 'PROSPECT' end,
        case account_type
            when 'ACTIVE' then last_ordered_on + 181
            when 'TARGET' then last_ordered_on + 366
        end,
        'default',
        least(
            (
                case account_type
                    when 'ACTIVE' then last_ordered_on + 181
                    when 'TARGET' then last_ordered_on + 366
                end
            )::timestamp at time zone time_zone,
            case
                when last_ordered_on is null and created_on > today
                    then (today + 1)::timestamp at time zone time_zone
            end,
            next_ordered_at,
            next_delivered_at
        )
    from typed
),

account_steps as (
    select
        *,
        lag(status) over (
            partition by customer_id, tenant_id order by begins_on
        ) as previous_status
    from (
        select
            tenant_id, customer_id, 'PROSPECT' as status,
            least(created_on, first_ordered_on, today) as begins_on
        from typed
        where created_on < first_ordered_on or first_ordered_on is null
        union all
        select tenant_id, customer_id, 'ACTIVE', first_ordered_on
        from typed
        where first_ordered_on is not null
        union all
        select tenant_id, customer_id, 'ACTIVE', next_ordered_on
        from pauses
        where next_ordered_on is not null
        union all
        select pauses.tenant_id, pauses.customer_id, step.status, step.begins_on
        from pauses
        cross join lateral (
            values ('TARGET', last_ordered_on + 181), ('PROSPECT', last_ordered_on + 366)
        ) as step (status, begins_on)
        where next_ordered_on is null or step.begins_on < next_ordered_on
    ) as steps
)

insert into hand.customer_account_type_history
select
    tenant_id,
    customer_id,
    status,
    previous_status,
    true,
    begins_on,
    lead(begins_on) over (partition by customer_id, tenant_id order by begins_on),
    'default'
from account_steps
where status is distinct from previous_status
