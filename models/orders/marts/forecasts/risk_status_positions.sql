{{ config(materialized='view_in_place') }}

with order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

periods as (
    select * from {{ ref('backtest_periods') }}
),

models as (
    select * from {{ ref('order_model_periods') }}
),

-- the cuts at which an order day is the customer's last one
stays as (
    select
        order_days.*,
        tenants.dormant_days,
        tenants.grace_days,
        coalesce(order_days.average_order_interval_days, tenants.fallback_cadence_days)
            as cadence_days,
        greatest({{ month_from('order_days.delivered_on') }}, periods.first_cut_on)
            as from_cut_on,
        least({{ month_to('order_days.next_delivered_on - 1') }}, periods.last_cut_on)
            as to_cut_on
    from order_days
    inner join tenants
        on order_days.tenant_id = tenants.tenant_id
    inner join periods
        on order_days.tenant_id = periods.tenant_id
),

positions as (
    select
        stays.*,
        cuts.cut_on::date as cut_on,
        cuts.cut_on::date
        - stays.delivered_on
        - stays.cadence_days as days_past_expected,
        stays.order_day_number - 1 as repeats_count,
        stays.delivered_on - stays.first_delivered_on as recency_days,
        cuts.cut_on::date - stays.first_delivered_on as age_days
    from stays
    cross join
        lateral generate_series(
            stays.from_cut_on::timestamp, stays.to_cut_on::timestamp, interval '1 month'
        ) as cuts (cut_on)
    where stays.from_cut_on <= stays.to_cut_on
),

final as (
    select
        positions.tenant_id,
        positions.customer_id,
        positions.cut_on,
        {{ risk_status(
            'positions.days_past_expected', 'positions.dormant_days',
            'positions.grace_days', 'positions.is_revenue_declined'
        ) }} as risk_status,
        positions.delivered_on as last_order_date,
        positions.order_day_number as order_days_count,
        positions.average_order_interval_days,
        positions.cadence_days,
        positions.days_past_expected,
        positions.is_revenue_evaluated,
        positions.is_revenue_declined,
        positions.currency,
        positions.next_delivered_on as next_order_date,
        positions.next_delivered_on - positions.cut_on as days_until_next_order,
    {%- for days in [30, 60, 90] %}
        {{ p_order(days, 'positions', 'models') }} as p_order_{{ days }}d
        {{- ',' if not loop.last }}
    {%- endfor %}
    from positions
    left join models
        on
            positions.tenant_id = models.tenant_id
            and positions.cut_on >= models.valid_from
            and (positions.cut_on < models.valid_to or models.valid_to is null)
)

select * from final
