{{ config(materialized='view_in_place') }}

-- Nested and without CTEs, so that a query that joins this view computes the outlook
-- only for its own customers. A view with CTEs is planned separately, for all
-- customers.
select
    tenant_id,
    tenant_slug,
    customer_id,
    order_day_number as order_days,
    delivered_on as last_order_date,
    p_order_30d,
    p_order_60d,
    p_order_90d,
    p_alive * expected_order_days as expected_orders_90d,
    p_alive * expected_order_days * cents_of_order_day as expected_value_90d,
    (p_alive * expected_order_days * cents_of_order_day / 100)::numeric(18, 2)
        as expected_amount_90d,
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
                    '%s with deliveries in %s, the last %s ago: the order model expects'
                    ' about %s of 100 such customers to order within 90 days',
                    {{ count_of('order_day_number', 'day') }},
                    {{ count_of('age_days', 'day') }},
                    {{ count_of('today - delivered_on', 'day') }},
                    round(100 * p_order_90d)
                )
    end as reason,
    {{ disagreement('risk_status', 'p_order_90d') }} as disagreement
from (
    select
        customers.*,
        -- a subquery: with one more join, queries that join this view would compute it
        -- for all customers
        (
            select risk_status.risk_status
            from {{ ref('customer_risk_status') }} as risk_status
            where
                customers.tenant_id = risk_status.tenant_id
                and customers.customer_id = risk_status.customer_id
        ) as risk_status,
        models.has_dropouts,
        {{ p_alive('customers', 'models') }} as p_alive,
        {%- for days in [30, 60, 90] %}
            {{ p_order(days, 'customers', 'models') }} as p_order_{{ days }}d,
        {%- endfor %}
        expected.expected_order_days,
        -- the customer's mean, shrunk toward the tenant's while it has few order days
        (
            customers.total_cents
            + {{ var('usual_order_days') }} * usual.cents
        ) / (customers.order_day_number + {{ var('usual_order_days') }})
            as cents_of_order_day
    from (
        select
            order_days.*,
            tenants.tenant_slug,
            tenants.today,
            order_days.order_day_number - 1 as repeats_count,
            order_days.delivered_on - order_days.first_delivered_on as recency_days,
            tenants.today - order_days.first_delivered_on as age_days
        from {{ ref('customer_order_days') }} as order_days
        inner join {{ ref('tenants') }} as tenants
            on order_days.tenant_id = tenants.tenant_id
        where order_days.next_delivered_on is null
    ) as customers
    left join {{ ref('order_model_periods') }} as models
        on
            customers.tenant_id = models.tenant_id
            and customers.today >= models.valid_from
            and (customers.today < models.valid_to or models.valid_to is null)
    -- the tenant's mean value per order day, in each currency
    left join (
        select
            tenant_id,
            coalesce(currency, '') as currency,
            sum(total_cents) / sum(order_day_number) as cents
        from {{ ref('customer_order_days') }}
        where next_delivered_on is null and not has_mixed_currency
        group by tenant_id, coalesce(currency, '')
    ) as usual
        on
            customers.tenant_id = usual.tenant_id
            and coalesce(customers.currency, '') = usual.currency
            and not customers.has_mixed_currency
    left join
        lateral (
            {{ expected_order_days(90, 'customers', 'models') | indent(12) }}
        ) as expected
        on true
) as foreseen
