{{ config(meta={'analyzed': ['tenant_id', 'customer_id']}) }}

with figures as (
    select * from {{ ref('int_customers__risk_figures') }}
),

tenants as (
    select * from {{ ref('int_tenants') }}
),

reasons as (
    select * from {{ ref('int_customers__risk_reasons') }}
),

orders_ahead as (
    select * from {{ ref('int_customers__orders_ahead') }}
),

judged as (
    select
        figures.*,
        tenants.time_zone,
        tenants.threshold_row,
        tenants.dormant_days,
        tenants.revenue_decline_pct,
        {{ risk_status(
            'tenants.today - figures.next_expected_order_date', 'tenants.dormant_days',
            'tenants.grace_days', 'figures.is_revenue_declined'
        ) }} as risk_status
    from figures
    inner join tenants
        on figures.tenant_id = tenants.tenant_id
),

dated as (
    select
        *,
        case
            when risk_status = 'DORMANT' then null
            when risk_status = 'AT_RISK_CADENCE' then 'DORMANT'
            else 'AT_RISK_CADENCE'
        end as next_status,
        case
            when risk_status = 'DORMANT' then null
            when risk_status = 'AT_RISK_CADENCE' then dormant_on
            else late_on
        end as next_status_on,
        format(
            'last delivery %s, %s gap %s, expected %s',
            {{ iso_date('last_order_date') }},
            case when cadence_source = 'MEASURED' then 'usual' else 'assumed' end,
            {{ count_of('cadence_days', 'day') }},
            {{ iso_date('next_expected_order_date') }}
        ) as pace
    from judged
),

final as (
    select
        dated.tenant_id,
        dated.customer_id,
        dated.customer_name,
        dated.sales_rep_id,
        dated.risk_status,
        case
            when dated.risk_status = 'DORMANT'
                then
                    format(
                        'Dormant since %s: %s, limit %s late',
                        {{ iso_date('dated.dormant_on') }},
                        dated.pace,
                        {{ count_of('dated.dormant_days', 'day') }}
                    )
            when dated.risk_status = 'AT_RISK_CADENCE'
                then
                    format(
                        'Late since %s: %s, dormant on %s without a delivery',
                        {{ iso_date('dated.late_on') }},
                        dated.pace,
                        {{ iso_date('dated.dormant_on') }}
                    )
            when dated.risk_status = 'AT_RISK_REVENUE'
                then
                    format(
                        'Revenue down %s %%: last %s average %s%s,'
                        ' the %s before %s, limit %s %%; %s',
                        trim_scale(-trunc(dated.revenue_change_pct, 2)),
                        {{ count_of('dated.recent_orders_count', 'order') }},
                        round(dated.recent_average_amount, 2),
                        ' ' || dated.currency,
                        dated.baseline_orders_count,
                        round(dated.baseline_average_amount, 2),
                        trim_scale(dated.revenue_decline_pct),
                        dated.pace
                    )
            else 'On time: ' || dated.pace
        end as reason,
        reasons.reasons,
        dated.last_order_date,
        dated.total_delivered_orders,
        dated.average_order_interval_days,
        dated.cadence_days,
        dated.cadence_source,
        dated.next_expected_order_date,
        case when dated.risk_status = 'DORMANT' then dated.dormant_on end
            as dormancy_since,
        case when dated.risk_status != 'DORMANT' then dated.reactivated_on end
            as reactivated_date,
        dated.revenue_basis,
        dated.currency,
        dated.recent_average_amount::numeric(16, 2) as recent_average_amount,
        dated.baseline_average_amount::numeric(16, 2) as baseline_average_amount,
        -- truncated, not rounded: a decline just under the limit must not read as the
        -- limit
        trunc(dated.revenue_change_pct, 2)::numeric(18, 2) as revenue_change_pct,
        -- from the sum in whole cents, because the mean of three orders is a third,
        -- rounded
        (
            round(100 * dated.recent_average_amount * dated.recent_orders_count) * 30
            / (100 * dated.recent_orders_count * dated.cadence_days)
        )::numeric(18, 2) as revenue_at_risk,
        dated.next_status,
        dated.next_status_on,
        dated.threshold_row,
        least(
            {{ local_midnight('dated.next_status_on', 'dated.time_zone') }},
            orders_ahead.next_delivered_at
        ) as valid_until
    from dated
    inner join reasons
        on
            dated.tenant_id = reasons.tenant_id
            and dated.customer_id = reasons.customer_id
    left join orders_ahead
        on
            dated.tenant_id = orders_ahead.tenant_id
            and dated.customer_id = orders_ahead.customer_id
)

select * from final
