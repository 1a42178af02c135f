{{ config(meta={'analyzed': ['tenant_id', 'customer_id']}) }}

with customers as (
    select * from {{ ref('int_customers') }}
),

deliveries as not materialized (
    select * from {{ ref('int_deliveries') }}
),

-- a delivery reactivates a customer that had become dormant
reactivations as (
    select
        tenant_id,
        customer_id,
        max(next_delivered_on) as reactivated_on
    from deliveries
    where next_delivered_on > dormant_on
    group by tenant_id, customer_id
),

latest as (
    select
        *,
        case
            when has_mixed_currency then 'MIXED_CURRENCY'
            when not is_revenue_evaluated then 'INSUFFICIENT_HISTORY'
            else 'EVALUATED'
        end as revenue_basis
    from deliveries
    where next_delivered_on is null
),

final as (
    select
        customers.tenant_id,
        customers.customer_id,
        customers.customer_name,
        customers.sales_rep_id,
        latest.delivery_number as total_delivered_orders,
        latest.delivered_on as last_order_date,
        latest.average_order_interval_days,
        latest.cadence_days,
        case
            when latest.average_order_interval_days is null then 'FALLBACK'
            else 'MEASURED'
        end as cadence_source,
        latest.expected_on as next_expected_order_date,
        latest.late_on,
        latest.dormant_on,
        reactivations.reactivated_on,
        latest.revenue_basis,
        latest.is_revenue_declined,
        case when not latest.has_mixed_currency then latest.currency end as currency,
        latest.recent_count as recent_orders_count,
        latest.baseline_count as baseline_orders_count,
        case
            when not latest.has_mixed_currency
                then latest.recent_cents / nullif(100.0 * latest.recent_count, 0)
        end as recent_average_amount,
        case
            when not latest.has_mixed_currency
                then latest.baseline_cents / nullif(100.0 * latest.baseline_count, 0)
        end as baseline_average_amount,
        case
            when latest.revenue_basis = 'EVALUATED'
                then
                    100.0 * (
                        latest.recent_cents * latest.baseline_count::numeric
                        - latest.baseline_cents * latest.recent_count
                    ) / (latest.baseline_cents * latest.recent_count)
        end as revenue_change_pct
    from customers
    inner join latest
        on
            customers.tenant_id = latest.tenant_id
            and customers.customer_id = latest.customer_id
    left join reactivations
        on
            customers.tenant_id = reactivations.tenant_id
            and customers.customer_id = reactivations.customer_id
)

select * from final
