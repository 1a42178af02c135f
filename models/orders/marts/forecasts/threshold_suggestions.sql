{{ config(materialized='view_in_place') }}

-- A value is chosen on the earlier cuts and tried on the later ones. If it gains enough
-- there, the value chosen on all cuts is suggested. dormant_days is chosen by its
-- accuracy; fallback_cadence_days is the median gap between order days.
with backtest as (
    select * from {{ ref('threshold_backtest') }}
),

order_days as (
    select * from {{ ref('customer_order_days') }}
),

periods as not materialized (
    select * from {{ ref('backtest_periods') }}
),

-- median gaps between order days
gaps as (
    select
        order_days.tenant_id,
        percentile_disc(0.5) within group (
            order by order_days.next_delivered_on - order_days.delivered_on
        ) as of_all,
        percentile_disc(0.5) within group (
            order by order_days.next_delivered_on - order_days.delivered_on
        ) filter (where order_days.next_delivered_on <= periods.middle_cut_on)
            as of_earlier
    from order_days
    inner join periods
        on order_days.tenant_id = periods.tenant_id
    where order_days.next_delivered_on is not null
    group by order_days.tenant_id
),

-- the value that predicts best who is gone; in a tie, the smallest
ranked as (
    select
        *,
        first_value(value) over (
            partition by tenant_id, setting, cuts
            order by
                value <= {{ var('what_if_most_days') }} desc,
                round(balanced_accuracy::numeric, 12) desc nulls last,
                value asc
        ) as best_value
    from backtest
    where setting in ('dormant_days', 'fallback_cadence_days')
),

chosen as (
    select
        ranked.*,
        case
            when ranked.setting = 'fallback_cadence_days' then gaps.of_all
            else max(ranked.best_value) filter (where ranked.cuts = 'ALL') over own
        end as value_of_all,
        case
            when ranked.setting = 'fallback_cadence_days' then gaps.of_earlier
            else max(ranked.best_value) filter (where ranked.cuts = 'EARLIER') over own
        end as value_of_earlier
    from ranked
    left join gaps
        on ranked.tenant_id = gaps.tenant_id
    window own as (partition by ranked.tenant_id, ranked.setting)
),

rated as (
    select
        *,
        max(balanced_accuracy) filter (
            where cuts = 'ALL' and value = value_of_all
        ) over (partition by tenant_id, setting) as best_accuracy
    from chosen
),

tried as (
    select
        tenant_id,
        tenant_slug,
        setting,
        value_of_all,
        max(value) filter (where is_current) as current_value,
        max(balanced_accuracy) filter (
            where cuts = 'LATER' and value = value_of_earlier
        ) - max(balanced_accuracy) filter (where cuts = 'LATER' and is_current)
            as gain,
        min(gone_count + ordered_count) filter (where cuts != 'ALL')
            as fewest_positions,
        min(least(gone_count, ordered_count)) filter (where cuts != 'ALL')
            as fewest_outcomes,
        min(value) as lowest_value,
        -- the nearest values that are worse
        max(value) filter (where is_worse and value < value_of_all) as worse_below,
        min(value) filter (where is_worse and value > value_of_all) as worse_above
    from (
        select
            *,
            cuts = 'ALL'
            and balanced_accuracy < best_accuracy - {{ var('suggestion_slack') }}
                as is_worse
        from rated
    ) as compared
    group by tenant_id, tenant_slug, setting, value_of_all
),

based as (
    select
        tried.*,
        case
            when coalesce(periods.cuts_count, 0) < {{ var('suggestion_min_cuts') }}
                then 'TOO_SHORT'
            when
                tried.fewest_positions < {{ var('suggestion_min_positions') }}
                or tried.fewest_outcomes < {{ var('suggestion_min_outcomes') }}
                then 'TOO_FEW'
            when
                tried.gain >= {{ var('suggestion_min_gain') }}
                -- a median gap may be longer than any value that was tried
                and tried.value_of_all <= {{ var('what_if_most_days') }}
                then 'SUGGESTED'
            else 'NO_STABLE_GAIN'
        end as basis
    from tried
    left join periods
        on tried.tenant_id = periods.tenant_id
),

final as (
    select
        tenant_id,
        tenant_slug,
        setting,
        current_value,
        case when basis = 'SUGGESTED' then value_of_all end as suggested_value,
        case when basis = 'SUGGESTED' then coalesce(worse_below + 1, lowest_value) end
            as as_good_from,
        case
            when basis = 'SUGGESTED'
                then least(worse_above - 1, {{ var('what_if_most_days') }})
        end as as_good_to,
        gain,
        basis
    from based
)

select * from final
