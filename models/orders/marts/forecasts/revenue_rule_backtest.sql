{{ config(materialized='view_in_place') }}

with positions as (
    select * from {{ ref('risk_status_positions') }}
),

order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

-- customers on time only, so that only the revenue distinguishes them
judged as (
    select *
    from positions
    where
        risk_status in ('HEALTHY', 'AT_RISK_REVENUE')
        and is_revenue_evaluated
),

revenues as (
    select
        judged.tenant_id,
        judged.customer_id,
        judged.cut_on,
        judged.risk_status,
        judged.currency,
        coalesce(sum(order_days.delivered_cents) filter (
            where order_days.delivered_on <= judged.cut_on
        ), 0) as cents_before,
        coalesce(sum(order_days.delivered_cents) filter (
            where order_days.delivered_on > judged.cut_on
        ), 0) as cents_after
    from judged
    left join order_days
        on
            judged.tenant_id = order_days.tenant_id
            and judged.customer_id = order_days.customer_id
            and order_days.delivered_on > judged.cut_on - 90
            and order_days.delivered_on <= judged.cut_on + 90
    group by
        judged.tenant_id,
        judged.customer_id,
        judged.cut_on,
        judged.risk_status,
        judged.currency
),

by_currency as (
    select
        tenant_id,
        risk_status,
        currency,
        count(*) as positions_count,
        sum(cents_before) as cents_before,
        sum(cents_after) as cents_after,
        count(*) filter (where cents_after < cents_before) as fell_count
    from revenues
    group by tenant_id, risk_status, currency
),

totaled as (
    select
        *,
        sum(positions_count) over (partition by tenant_id, currency) as total_count
    from by_currency
),

-- the currency of most positions; if none is known, assume one for all
ranked as (
    select
        *,
        first_value(currency) over (
            partition by tenant_id
            order by currency is null asc, total_count desc, currency collate "C" asc
        ) as usual_currency
    from totaled
),

summed as (
    select
        tenant_id,
        risk_status,
        usual_currency as currency,
        sum(positions_count)::bigint as positions_count,
        sum(cents_before)::bigint as cents_before,
        sum(cents_after)::bigint as cents_after,
        sum(fell_count)::bigint as fell_count,
        sum(positions_count) filter (
            where currency is not distinct from usual_currency
        )::bigint as currency_positions_count,
        sum(cents_before) filter (
            where currency is not distinct from usual_currency
        )::bigint as currency_cents_before,
        sum(cents_after) filter (
            where currency is not distinct from usual_currency
        )::bigint as currency_cents_after
    from ranked
    group by tenant_id, risk_status, usual_currency
),

final as (
    select
        summed.tenant_id,
        tenants.tenant_slug,
        summed.risk_status,
        summed.positions_count,
        summed.cents_before,
        summed.cents_after,
        summed.cents_after / nullif(summed.cents_before, 0)::double precision - 1
            as revenue_change,
        summed.fell_count / summed.positions_count::double precision as fell_share,
        summed.currency,
        coalesce(summed.currency_positions_count, 0) as currency_positions_count,
        summed.currency_cents_after
        / nullif(summed.currency_cents_before, 0)::double precision
        - 1 as currency_revenue_change
    from summed
    inner join tenants
        on summed.tenant_id = tenants.tenant_id
)

select * from final
