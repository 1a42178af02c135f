-- One customer that orders: every figure of its risk status, then its orders, with the
-- figures that each counts in. Put in the tenant and the customer:
{%- set tenant_slug = 'harbor-foods' %}
{%- set customer_id = '00000000-0000-0000-0000-000000000001' %}
--   dbt show --select customer_orders_profile --limit -1
with tenants as (
    select * from {{ ref('tenants') }}
),

risk_status as (
    select * from {{ ref('customer_risk_status') }}
),

customer as (
    select risk_status.*
    from risk_status
    inner join tenants
        on risk_status.tenant_id = tenants.tenant_id
    where
        tenants.tenant_slug = '{{ tenant_slug }}'
        and risk_status.customer_id::text = '{{ customer_id }}'
),

final as (
    select
        'figure' as item,
        figure.key as item_id,
        null::timestamptz as ordered_at,
        figure.value as detail,
        null as counts_in
    from customer
    cross join lateral jsonb_each_text(to_jsonb(customer)) as figure

    union all

    select
        'order' as item,
        explained.order_id as item_id,
        explained.ordered_at,
        concat_ws(
            ', ',
            explained.order_status,
            'delivered ' || explained.delivered_on::text,
            explained.gap_days::text || ' days after the one before',
            explained.amount::text || ' ' || explained.currency
        ) as detail,
        coalesce(
            'not delivered: ' || explained.left_out_because,
            array_to_string(explained.counts_in, ', ')
        ) as counts_in
    from customer
    cross join
        lateral {{ ref('customer_risk_status').schema }}.explain_risk_status(
            customer.tenant_id::text, customer.customer_id::text
        ) as explained
)

select * from final
order by item = 'figure' desc, ordered_at desc nulls last
