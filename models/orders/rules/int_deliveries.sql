{{ config(meta={
    'analyzed': ['tenant_id', 'customer_id', 'delivered_on', 'next_delivered_on'],
}) }}
{%- set order_id = by_code_point('order_id', var('orders_order_id_type')) %}
{#- where clocks go back past midnight, the date of a later instant can be earlier -#}
{%- set sequence = 'delivered_on, delivered_at, ' ~ order_id %}

with orders as (
    select * from {{ ref('int_orders') }}
),

tenants as not materialized (
    select * from {{ ref('int_tenants') }}
),

delivered as (
    select
        orders.tenant_id,
        orders.customer_id,
        orders.order_id,
        orders.delivered_at,
        orders.delivered_on,
        orders.counted_cents,
        orders.currency,
        tenants.cadence_orders,
        tenants.recent_orders,
        tenants.recent_orders + tenants.baseline_orders as compared_orders
    from orders
    inner join tenants
        on orders.tenant_id = tenants.tenant_id
    where orders.delivered_at <= {{ as_of() }}
),

neighbours as (
    select
        *,
        lead(delivered_on) over in_sequence as next_delivered_on,
        first_value(delivered_on) over in_sequence as first_delivered_on,
        delivered_on - lag(delivered_on) over in_sequence as gap_days,
        (currency is distinct from lag(currency, 1, currency) over in_sequence)
            as has_currency_changed
    from delivered
    window in_sequence as (
        partition by customer_id, tenant_id order by {{ sequence }}
    )
),

-- A frame cannot take its size from a column, so we use running totals: the sum of the
-- last n is the total now minus the total n orders ago.
totals as (
    select
        *,
        row_number() over so_far as delivery_number,
        sum(gap_days) filter (where gap_days > 0) over so_far as total_gap_days,
        count(*) filter (where gap_days > 0) over so_far as total_gaps,
        coalesce(sum(counted_cents) over so_far, 0)::bigint as total_cents,
        count(counted_cents) over so_far as total_counted,
        count(*) filter (where has_currency_changed) over so_far as total_changes
    from neighbours
    window so_far as (
        partition by customer_id, tenant_id
        order by {{ sequence }}
        rows unbounded preceding
    )
),

last_orders as (
    select
        *,
        coalesce(total_gap_days, 0)
        - coalesce(lag(total_gap_days, cadence_orders - 1) over in_sequence, 0)
            as cadence_gap_days,
        total_gaps - lag(total_gaps, cadence_orders - 1, 0) over in_sequence
            as cadence_gaps,
        lag(total_cents, recent_orders, 0) over in_sequence as cents_before_recent,
        lag(total_counted, recent_orders, 0) over in_sequence as counted_before_recent,
        lag(total_cents, compared_orders, 0) over in_sequence as cents_before_baseline,
        lag(total_counted, compared_orders, 0) over in_sequence
            as counted_before_baseline,
        total_changes > lag(total_changes, compared_orders - 1, 0) over in_sequence
            as has_mixed_currency
    from totals
    window in_sequence as (
        partition by customer_id, tenant_id order by {{ sequence }}
    )
),

figures as (
    select
        tenant_id,
        customer_id,
        delivery_number,
        -- a gap is between two different days
        total_gaps + 1 as order_day_number,
        first_delivered_on,
        delivered_on,
        next_delivered_on,
        total_cents,
        total_changes > 0 as has_had_other_currency,
        currency,
        has_mixed_currency,
        round(cadence_gap_days / nullif(cadence_gaps, 0)::numeric)::integer
            as average_order_interval_days,
        total_cents - cents_before_recent as recent_cents,
        total_counted - counted_before_recent as recent_count,
        cents_before_recent - cents_before_baseline as baseline_cents,
        counted_before_recent - counted_before_baseline as baseline_count
    from last_orders
),

paced as (
    select
        figures.*,
        coalesce(figures.average_order_interval_days, tenants.fallback_cadence_days)
            as cadence_days,
        not figures.has_mixed_currency
        and figures.recent_count >= 1
        and figures.baseline_count >= tenants.min_baseline_orders
            as is_revenue_evaluated,
        tenants.grace_days,
        tenants.dormant_days,
        tenants.revenue_decline_pct
    from figures
    inner join tenants
        on figures.tenant_id = tenants.tenant_id
),

final as (
    select
        tenant_id,
        customer_id,
        delivery_number,
        order_day_number,
        first_delivered_on,
        delivered_on,
        next_delivered_on,
        total_cents,
        average_order_interval_days,
        cadence_days,
        delivered_on + cadence_days as expected_on,
        delivered_on + cadence_days + grace_days as late_on,
        delivered_on + cadence_days + dormant_days as dormant_on,
        currency,
        has_had_other_currency,
        has_mixed_currency,
        recent_count,
        recent_cents,
        baseline_count,
        baseline_cents,
        is_revenue_evaluated,
        -- (baseline mean - recent mean) * 100 >= limit * baseline mean, undivided
        is_revenue_evaluated
        and (
            baseline_cents * recent_count - recent_cents * baseline_count::numeric
        ) * 100 >= revenue_decline_pct * baseline_cents * recent_count
            as is_revenue_declined
    from paced
)

select * from final
