{{ config(materialized='view_in_place') }}

-- Every value of a limit, judged at every cut. A position is called gone by all values up to
-- its own critical one, so each position is counted once, and the sums are running ones.
with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

limits as (
    select * from {{ ref('threshold_values') }}
),

middles as (
    select
        tenant_id,
        percentile_disc(0.5) within group (order by cut_on) as middle_cut_on
    from (select distinct
        tenant_id,
        cut_on
    from positions) as cuts
    group by tenant_id
),

criticals as (
    select
        positions.tenant_id,
        positions.cut_on < middles.middle_cut_on as is_earlier,
        coalesce(positions.days_until_next_order > 90, true) as is_gone,
        critical.setting,
        critical.value
    from positions
    inner join tenants
        on positions.tenant_id = tenants.tenant_id
    inner join middles
        on positions.tenant_id = middles.tenant_id
    cross join
        lateral (
            values
            ('dormant_days', positions.days_past_expected),
            (
                'fallback_cadence_days',
                case
                    when positions.average_order_interval_days is null
                        then
                            positions.cut_on - positions.last_order_date
                            - tenants.dormant_days
                    else {{ always_or_never('positions.risk_status = \'DORMANT\'') }}
                end
            ),
            (
                'grace_days',
                {{ always_or_never('positions.risk_status = \'DORMANT\'') }}
            )
        ) as critical (setting, value)
),

counted as (
    select
        tenant_id,
        setting,
        value,
        halves.cuts,
        null as is_current,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as ordered_count
    from criticals
    cross join
        lateral (
            values ('ALL'), (case when is_earlier then 'EARLIER' else 'LATER' end)
        ) as halves (cuts)
    group by tenant_id, setting, value, halves.cuts

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
