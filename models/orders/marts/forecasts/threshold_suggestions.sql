{{ config(materialized='view_in_place') }}

-- A value is chosen on the earlier cuts and tried on the later ones. Only where it has gained
-- enough there is a value suggested, the one that all cuts choose.
with backtest as (
    select * from {{ ref('threshold_backtest') }}
),

choices as (
    select * from {{ ref('threshold_choices') }}
),

status_backtest as (
    select * from {{ ref('risk_status_backtest') }}
),

cuts as (
    select
        tenant_id,
        count(distinct cut_on) as cuts_count
    from status_backtest
    group by tenant_id
),

-- what is in force, and how it has done
in_force as (
    select
        tenant_id,
        tenant_slug,
        setting,
        value,
        min(least(gone_count, ordered_count)) filter (where cuts != 'ALL')
            as fewest_outcomes,
        min(gone_count + ordered_count) filter (where cuts != 'ALL')
            as fewest_positions,
        max(balanced_accuracy) filter (where cuts = 'LATER') as balanced_accuracy
    from backtest
    where
        is_current
        and setting in ('dormant_days', 'fallback_cadence_days')
    group by tenant_id, tenant_slug, setting, value
),

tried as (
    select
        in_force.*,
        cuts.cuts_count,
        best.value as best_value,
        trial.balanced_accuracy - in_force.balanced_accuracy as gain
    from in_force
    left join cuts
        on in_force.tenant_id = cuts.tenant_id
    left join choices as best
        on
            in_force.tenant_id = best.tenant_id
            and in_force.setting = best.setting
            and best.cuts = 'ALL'
    left join choices as earlier
        on
            in_force.tenant_id = earlier.tenant_id
            and in_force.setting = earlier.setting
            and earlier.cuts = 'EARLIER'
    left join backtest as trial
        on
            earlier.tenant_id = trial.tenant_id
            and earlier.setting = trial.setting
            and earlier.value = trial.value
            and trial.cuts = 'LATER'
),

based as (
    select
        *,
        case
            when coalesce(cuts_count, 0) < {{ var('suggestion_min_cuts') }}
                then 'TOO_SHORT'
            when
                fewest_positions < {{ var('suggestion_min_positions') }}
                or fewest_outcomes < {{ var('suggestion_min_outcomes') }}
                then 'TOO_FEW'
            when gain >= {{ var('suggestion_min_gain') }} then 'SUGGESTED'
            else 'NO_STABLE_GAIN'
        end as basis
    from tried
),

-- the nearest values, below and above, that are worse than the suggested one
worse as (
    select
        based.tenant_id,
        based.setting,
        max(other.value) filter (where other.value < based.best_value) as below,
        min(other.value) filter (where other.value > based.best_value) as above
    from based
    inner join backtest as best
        on
            based.tenant_id = best.tenant_id
            and based.setting = best.setting
            and based.best_value = best.value
            and best.cuts = 'ALL'
    inner join backtest as other
        on
            based.tenant_id = other.tenant_id
            and based.setting = other.setting
            and other.cuts = 'ALL'
            and other.balanced_accuracy
            < best.balanced_accuracy - {{ var('suggestion_slack') }}
    where based.basis = 'SUGGESTED'
    group by based.tenant_id, based.setting
),

final as (
    select
        based.tenant_id,
        based.tenant_slug,
        based.setting,
        based.value as current_value,
        case when based.basis = 'SUGGESTED' then based.best_value end
            as suggested_value,
        case when based.basis = 'SUGGESTED' then coalesce(worse.below + 1, 1) end
            as as_good_from,
        case
            when based.basis = 'SUGGESTED'
                then coalesce(worse.above - 1, {{ var('what_if_most_days') }})
        end as as_good_to,
        based.gain,
        based.basis
    from based
    left join worse
        on
            based.tenant_id = worse.tenant_id
            and based.setting = worse.setting
)

select * from final
