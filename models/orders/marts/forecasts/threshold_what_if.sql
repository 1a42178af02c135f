{{ config(materialized='view_in_place') }}

-- A customer is late, or dormant, for all values of a limit up to its own critical one: see
-- threshold_backtest.
with customers as (
    select * from {{ ref('customer_risk_status') }}
),

order_days as (
    select * from {{ ref('customer_order_days') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

limits as (
    select * from {{ ref('threshold_values') }}
),

backtest as (
    select * from {{ ref('threshold_backtest') }}
),

judged as (
    select
        customers.tenant_id,
        customers.risk_status,
        order_days.is_revenue_declined,
        tenants.dormant_days,
        tenants.grace_days,
        customers.cadence_source = 'FALLBACK' as is_fallback,
        tenants.today - customers.last_order_date as days_since_last_order,
        tenants.today - customers.next_expected_order_date as days_past_expected
    from customers
    inner join tenants
        on customers.tenant_id = tenants.tenant_id
    inner join order_days
        on
            customers.tenant_id = order_days.tenant_id
            and customers.customer_id = order_days.customer_id
            and order_days.next_delivered_on is null
),

-- customers that change at the same values are counted as one
criticals as (
    select
        judged.tenant_id,
        critical.setting,
        judged.risk_status,
        case when judged.is_revenue_declined then 'AT_RISK_REVENUE' else 'HEALTHY' end
            as status_on_time,
        {{ within_values('critical.dormant_up_to') }} as dormant_up_to,
        {{ within_values('critical.late_up_to') }} as late_up_to,
        count(*) as customers_count
    from judged
    cross join
        lateral (
            values
            (
                'dormant_days',
                judged.days_past_expected,
                {{ always_or_never('judged.days_past_expected >= judged.grace_days') }}
            ),
            (
                'grace_days',
                {{ always_or_never('judged.risk_status = \'DORMANT\'') }},
                judged.days_past_expected
            ),
            (
                'fallback_cadence_days',
                case
                    when judged.is_fallback
                        then judged.days_since_last_order - judged.dormant_days
                    else {{ always_or_never('judged.risk_status = \'DORMANT\'') }}
                end,
                case
                    when judged.is_fallback
                        then judged.days_since_last_order - judged.grace_days
                    else {{ always_or_never(
                        'judged.days_past_expected >= judged.grace_days') }}
                end
            )
        ) as critical (setting, dormant_up_to, late_up_to)
    group by tenant_id, setting, risk_status, status_on_time, dormant_up_to, late_up_to
),

moves as (
    select
        limits.tenant_id,
        limits.setting,
        limits.value,
        criticals.customers_count,
        criticals.risk_status as status_now,
        case
            when limits.value <= criticals.dormant_up_to then 'DORMANT'
            when limits.value <= criticals.late_up_to then 'AT_RISK_CADENCE'
            else criticals.status_on_time
        end as status_then
    from limits
    inner join criticals
        on
            limits.tenant_id = criticals.tenant_id
            and limits.setting = criticals.setting
),

counted as (
    select
        tenant_id,
        setting,
        value,
        {%- for status in ['healthy', 'at_risk_revenue', 'at_risk_cadence', 'dormant'] %}
            coalesce(
                sum(customers_count) filter (
                    where status_then = '{{ status | upper }}'
                ),
                0
            )::bigint as {{ status }}_count,
        {%- endfor %}
        coalesce(
            sum(customers_count) filter (where status_then != status_now), 0
        )::bigint as moved_count
    from moves
    group by tenant_id, setting, value
),

final as (
    select
        backtest.tenant_id,
        backtest.tenant_slug,
        backtest.setting,
        backtest.value,
        backtest.is_current,
        coalesce(counted.healthy_count, 0) as healthy_count,
        coalesce(counted.at_risk_revenue_count, 0) as at_risk_revenue_count,
        coalesce(counted.at_risk_cadence_count, 0) as at_risk_cadence_count,
        coalesce(counted.dormant_count, 0) as dormant_count,
        coalesce(counted.moved_count, 0) as moved_count,
        backtest.precision,
        backtest.recall,
        backtest.balanced_accuracy
    from backtest
    left join counted
        on
            backtest.tenant_id = counted.tenant_id
            and backtest.setting = counted.setting
            and backtest.value = counted.value
    where backtest.cuts = 'ALL'
)

select * from final
