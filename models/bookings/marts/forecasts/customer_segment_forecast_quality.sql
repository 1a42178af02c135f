{{ config(materialized='view_in_place') }}
{%- set among = 'organization_id, horizon_days' %}

-- A customer is gone if it did not visit within the horizon; LOST is the forecast.
with outcomes as not materialized (
    select
        positions.organization_id,
        horizon.days as horizon_days,
        positions.customer_segment = 'LOST' as is_called_gone,
        coalesce(positions.days_until_next_visit > horizon.days, true) as is_gone,
        positions.days_since_last_visit,
        positions.days_past_expected,
        -- probabilities that agree to 12 digits are ties
        (horizon.p_visit * 1e12)::bigint as p_visit
    from {{ ref('customer_segment_positions') }} as positions
    cross join
        lateral (
            values
            (30, positions.p_visit_30d),
            (60, positions.p_visit_60d),
            (90, positions.p_visit_90d)
        ) as horizon (days, p_visit)
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

-- the longer without a visit, the likelier the customer is gone
by_silence as (
    select
        organization_id,
        horizon_days,
        days_since_last_visit,
        count(*) filter (where is_called_gone and is_gone) as tp,
        count(*) filter (where is_called_gone and not is_gone) as fp,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as visited_count,
        count(p_visit) filter (where is_gone) as gone_forecasts_count,
        count(p_visit) filter (where not is_gone) as visited_forecasts_count
    from outcomes
    group by organization_id, horizon_days, days_since_last_visit
),

ranked_by_silence as (
    select
        *,
        {{ ranked_below('visited_count', 'days_since_last_visit', among) }}
            as visited_below,
        {{ ranked_below('visited_forecasts_count', 'days_since_last_visit', among) }}
            as visited_forecasts_below
    from by_silence
),

silence as (
    select
        organization_id,
        horizon_days,
        sum(tp)::bigint as tp,
        sum(fp)::bigint as fp,
        sum(gone_count - tp)::bigint as fn,
        sum(visited_count - fp)::bigint as tn,
        sum(gone_forecasts_count + visited_forecasts_count)::bigint
            as forecast_positions_count,
        {{ area('gone_count', 'visited_count', 'visited_below') }} as auc,
        {{ area(
            'gone_forecasts_count', 'visited_forecasts_count', 'visited_forecasts_below'
        ) }} as auc_of_forecasts
    from ranked_by_silence
    group by organization_id, horizon_days
),

-- the higher the other score, the likelier the customer is gone; no date is expected
-- after a first visit
by_score as (
    select
        outcomes.organization_id,
        outcomes.horizon_days,
        score.name as score_name,
        score.value as score,
        count(*) filter (where outcomes.is_gone) as gone_count,
        count(*) filter (where not outcomes.is_gone) as visited_count
    from outcomes
    cross join
        lateral (
            values
            ('days_past_expected', outcomes.days_past_expected::bigint),
            ('p_visit', -outcomes.p_visit)
        ) as score (name, value)
    where score.value is not null
    group by outcomes.organization_id, outcomes.horizon_days, score.name, score.value
),

ranked_by_score as (
    select
        *,
        {{ ranked_below('visited_count', 'score', among ~ ', score_name') }}
            as visited_below
    from by_score
),

areas as not materialized (
    select
        organization_id,
        horizon_days,
        score_name,
        sum(gone_count + visited_count)::bigint as positions_count,
        {{ area('gone_count', 'visited_count', 'visited_below') }} as auc
    from ranked_by_score
    group by organization_id, horizon_days, score_name
),

rated as (
    select
        *,
        tp + fp + fn + tn as positions_count,
        tp / nullif(tp + fn, 0)::double precision as recall,
        tn / nullif(tn + fp, 0)::double precision as specificity
    from silence
),

final as (
    select
        rated.organization_id,
        organizations.organization_slug,
        rated.horizon_days,
        (rated.recall + rated.specificity) / 2 as balanced_accuracy,
        rated.tp / nullif(rated.tp + rated.fp, 0)::double precision as precision,
        rated.recall,
        2 * rated.tp / nullif(2 * rated.tp + rated.fp + rated.fn, 0)::double precision
            as f1,
        (rated.tp + rated.fn) / rated.positions_count::double precision as base_rate,
        rated.positions_count,
        rated.tp,
        rated.fp,
        rated.fn,
        rated.tn,
        rated.auc as auc_days_since_last_visit,
        lateness.auc as auc_days_past_expected,
        coalesce(lateness.positions_count, 0) as expected_positions_count,
        forecasts.auc as auc_p_visit,
        rated.auc_of_forecasts as auc_days_since_last_visit_of_forecasts,
        rated.forecast_positions_count
    from rated
    inner join organizations
        on rated.organization_id = organizations.organization_id
    left join areas as lateness
        on
            rated.organization_id = lateness.organization_id
            and rated.horizon_days = lateness.horizon_days
            and lateness.score_name = 'days_past_expected'
    left join areas as forecasts
        on
            rated.organization_id = forecasts.organization_id
            and rated.horizon_days = forecasts.horizon_days
            and forecasts.score_name = 'p_visit'
)

select * from final
