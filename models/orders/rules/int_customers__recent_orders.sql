{{ config(meta={'analyzed': ['tenant_id', 'customer_id']}) }}
{%- set order_id = by_code_point('order_id', var('orders_order_id_type')) %}
{#- as in int_deliveries, backward -#}
{%- set newest = 'delivered_on desc, delivered_at desc, ' ~ order_id ~ ' desc' %}

-- Deliveries to show to people; no rule reads them.
with orders as (
    select * from {{ ref('int_orders') }}
),

newest_first as (
    select
        tenant_id,
        customer_id,
        array_agg(delivered_on order by {{ newest }}) as delivered_dates,
        array_agg(counted_cents order by {{ newest }}) as delivered_cents
    from orders
    where delivered_at <= {{ as_of() }}
    group by customer_id, tenant_id
),

final as (
    select
        tenant_id,
        customer_id,
        delivered_dates[:{{ var('shown_orders') }}] as delivered_dates,
        delivered_cents[:{{ var('shown_orders') }}] as delivered_cents
    from newest_first
)

select * from final
