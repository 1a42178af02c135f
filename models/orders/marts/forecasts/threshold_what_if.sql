{{ config(materialized='view_in_place') }}

-- A customer is late, or dormant, with every value of a limit up to its own critical
-- value.
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
        {{ always_or_never('customers.risk_status = \'DORMANT\'') }} as dormant_anyway,
        {{ always_or_never(
            'tenants.today - customers.next_expected_order_date >= tenants.grace_days'
        ) }} as late_anyway,
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

criticals as (
    select
        judged.tenant_id,
        critical.setting,
        judged.risk_status,
        case when judged.is_revenue_declined then 'AT_RISK_REVENUE' else 'HEALTHY' end
            as status_on_time,
        -- all values below 0 are equivalent
        greatest(0, critical.dormant_up_to) as dormant_up_to,
        greatest(0, critical.late_up_to) as late_up_to
    from judged
    cross join
        lateral (
            values
            ('dormant_days', judged.days_past_expected, judged.late_anyway),
            ('grace_days', judged.dormant_anyway, judged.days_past_expected),
            (
                'fallback_cadence_days',
                case
                    when judged.is_fallback
                        then judged.days_since_last_order - judged.dormant_days
                    else judged.dormant_anyway
                end,
                case
                    when judged.is_fallback
                        then judged.days_since_last_order - judged.grace_days
                    else judged.late_anyway
                end
            )
        ) as critical (setting, dormant_up_to, late_up_to)
),

-- customers that change at the same values
alike as (
    select
        *,
        count(*) as customers_count
    from criticals
    group by
        tenant_id,
        setting,
        risk_status,
        status_on_time,
        dormant_up_to,
        late_up_to
),

moves as (
    select
        limits.tenant_id,
        limits.setting,
        limits.value,
        alike.customers_count,
        alike.risk_status as status_now,
        case
            when limits.value <= alike.dormant_up_to then 'DORMANT'
            when limits.value <= alike.late_up_to then 'AT_RISK_CADENCE'
            else alike.status_on_time
        end as status_then
    from limits
    inner join alike
        on
            limits.tenant_id = alike.tenant_id
            and limits.setting = alike.setting
),

counted as (
    select
        tenant_id,
        setting,
        value,
        {%- for status in ['healthy', 'at_risk_revenue', 'at_risk_cadence', 'dormant']
        %}
            sum(customers_count) filter (
                where status_then = '{{ status | upper }}'
            ) as {{ status }}_count,
        {%- endfor %}
        sum(customers_count) filter (where status_then != status_now) as moved_count
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
        coalesce(counted.healthy_count, 0)::bigint as healthy_count,
        coalesce(counted.at_risk_revenue_count, 0)::bigint as at_risk_revenue_count,
        coalesce(counted.at_risk_cadence_count, 0)::bigint as at_risk_cadence_count,
        coalesce(counted.dormant_count, 0)::bigint as dormant_count,
        coalesce(counted.moved_count, 0)::bigint as moved_count,
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
