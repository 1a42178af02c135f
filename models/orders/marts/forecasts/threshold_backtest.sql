{{ config(materialized='view_in_place') }}

-- Every value of a limit, judged at every cut. A position counts as gone with every
-- value up to its own critical value. So it is counted there, and running sums give the
-- rest.
with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

periods as (
    select * from {{ ref('backtest_periods') }}
),

limits as (
    select * from {{ ref('threshold_values') }}
),

-- positions that every value treats in the same way
alike as (
    select
        positions.tenant_id,
        positions.cut_on < periods.middle_cut_on as is_earlier,
        coalesce(positions.days_until_next_order > 90, true) as is_gone,
        positions.days_past_expected,
        case
            when positions.average_order_interval_days is null
                then positions.days_past_expected + positions.cadence_days
        end as days_since_last_order,
        tenants.dormant_days,
        count(*) as positions_count
    from positions
    inner join tenants
        on positions.tenant_id = tenants.tenant_id
    inner join periods
        on positions.tenant_id = periods.tenant_id
    group by
        positions.tenant_id,
        is_earlier,
        is_gone,
        positions.days_past_expected,
        days_since_last_order,
        tenants.dormant_days
),

criticals as (
    select
        alike.tenant_id,
        alike.is_gone,
        alike.positions_count,
        halves.cuts,
        critical.setting,
        critical.value
    from alike
    cross join
        lateral (
            values
            ('ALL'),
            (case when alike.is_earlier then 'EARLIER' else 'LATER' end)
        ) as halves (cuts)
    cross join
        lateral (
            values
            ('dormant_days', alike.days_past_expected),
            (
                'fallback_cadence_days',
                coalesce(
                    alike.days_since_last_order - alike.dormant_days,
                    {{ always_or_never(
                        'alike.days_past_expected >= alike.dormant_days') }}
                )
            ),
            (
                'grace_days',
                {{ always_or_never('alike.days_past_expected >= alike.dormant_days') }}
            )
        ) as critical (setting, value)
),

counted as (
    select
        tenant_id,
        setting,
        value,
        cuts,
        null as is_current,
        coalesce(sum(positions_count) filter (where is_gone), 0) as gone_count,
        coalesce(sum(positions_count) filter (where not is_gone), 0) as ordered_count
    from criticals
    group by tenant_id, setting, value, cuts

    union all

    select
        limits.tenant_id,
        limits.setting,
        limits.value,
        halves.cuts,
        limits.is_current,
        0 as gone_count,
        0 as ordered_count
    from limits
    cross join (values ('ALL'), ('EARLIER'), ('LATER')) as halves (cuts)
),

summed as (
    select
        tenant_id,
        setting,
        value,
        cuts,
        is_current,
        sum(gone_count) over from_here as tp,
        sum(ordered_count) over from_here as fp,
        sum(gone_count) over in_all as gone_count,
        sum(ordered_count) over in_all as ordered_count
    from counted
    window
        in_all as (partition by tenant_id, setting, cuts),
        from_here as (partition by tenant_id, setting, cuts order by value desc)
),

final as (
    select
        summed.tenant_id,
        tenants.tenant_slug,
        summed.setting,
        summed.value,
        summed.cuts,
        summed.is_current,
        summed.gone_count::bigint as gone_count,
        summed.ordered_count::bigint as ordered_count,
        summed.tp::bigint as tp,
        summed.fp::bigint as fp,
        (summed.gone_count - summed.tp)::bigint as fn,
        (summed.ordered_count - summed.fp)::bigint as tn,
        (summed.tp / nullif(summed.tp + summed.fp, 0))::double precision as precision,
        (summed.tp / nullif(summed.gone_count, 0))::double precision as recall,
        (
            summed.tp / nullif(summed.gone_count, 0)
            + 1 - summed.fp / nullif(summed.ordered_count, 0)
        )::double precision / 2 as balanced_accuracy
    from summed
    inner join tenants
        on summed.tenant_id = tenants.tenant_id
    where summed.is_current is not null
)

select * from final
