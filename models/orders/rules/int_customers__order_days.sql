{{ config(meta={'analyzed': ['tenant_id', 'customer_id', 'delivered_on']}) }}

with deliveries as (
    select * from {{ ref('int_deliveries') }}
),

-- the state after a day's last delivery
days as (
    select *
    from deliveries
    where next_delivered_on is distinct from delivered_on
),

final as (
    select
        tenant_id,
        customer_id,
        delivered_on,
        next_delivered_on,
        first_delivered_on,
        order_day_number,
        average_order_interval_days,
        is_revenue_evaluated,
        is_revenue_declined,
        delivery_number - lag(delivery_number, 1, 0::bigint) over in_sequence
            as orders_count,
        total_cents - lag(total_cents, 1, 0::bigint) over in_sequence
            as delivered_cents,
        total_cents,
        case when not has_had_other_currency then currency end as currency,
        has_had_other_currency as has_mixed_currency
    from days
    window in_sequence as (
        partition by customer_id, tenant_id order by delivered_on
    )
)

select * from final
