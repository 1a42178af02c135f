{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

models as (
    select * from {{ ref('order_model_periods') }}
),

expected as (
    select * from {{ ref('expected_order_days') }}
),

customers as not materialized (
    select
        order_days.*,
        tenants.tenant_slug,
        tenants.today,
        order_days.order_day_number - 1 as repeats_count,
        order_days.delivered_on - order_days.first_delivered_on as recency_days,
        tenants.today - order_days.first_delivered_on as age_days
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
    where order_days.next_delivered_on is null
),

-- what an order day brings the tenant, in each currency
usual as (
    select
        tenant_id,
        currency,
        sum(total_cents) / sum(order_day_number) as cents
    from customers
    where not has_mixed_currency
    group by tenant_id, currency
),

foreseen as (
    select
        customers.*,
        models.has_dropouts,
        {{ p_alive('customers', 'models') }} as p_alive,
        {%- for days in [30, 60, 90] %}
            {{ p_order(days, 'customers', 'models') }} as p_order_{{ days }}d,
        {%- endfor %}
        expected.expected_order_days_90d,
        -- its own mean, drawn towards the usual one while it has few order days
        (
            customers.total_cents
            + {{ var('usual_order_days') }} * usual.cents
        ) / (customers.order_day_number + {{ var('usual_order_days') }})
            as cents_of_order_day
    from customers
    left join models
        on
            customers.tenant_id = models.tenant_id
            and customers.today >= models.valid_from
            and (customers.today < models.valid_to or models.valid_to is null)
    left join expected
        on
            customers.tenant_id = expected.tenant_id
            and customers.repeats_count = expected.repeats_count
            and customers.age_days = expected.age_days
    left join usual
        on
            customers.tenant_id = usual.tenant_id
            and customers.currency is not distinct from usual.currency
            and not customers.has_mixed_currency
),

final as (
    select
        tenant_id,
        tenant_slug,
        customer_id,
        order_day_number as order_days,
        delivered_on as last_order_date,
        p_order_30d,
        p_order_60d,
        p_order_90d,
        p_alive * expected_order_days_90d as expected_orders_90d,
        p_alive * expected_order_days_90d * cents_of_order_day as expected_value_90d,
        currency,
        case
            when p_order_90d >= {{ var('outlook_likely_from') }} then 'LIKELY'
            when p_order_90d < {{ var('outlook_unlikely_below') }} then 'UNLIKELY'
            when p_order_90d is not null then 'UNSURE'
        end as outlook,
        case when has_dropouts then p_alive end as p_alive,
        case
            when p_order_90d is not null
                then
                    format(
                        '%s in %s, the last %s ago: of 100 such customers about %s'
                        ' order within 90 days',
                        {{ count_of('order_day_number', 'order day') }},
                        {{ count_of('age_days', 'day') }},
                        {{ count_of('today - delivered_on', 'day') }},
                        round(100 * p_order_90d)
                    )
        end as reason
    from foreseen
)

select * from final
