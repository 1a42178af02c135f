{{ config(materialized='view_in_place') }}

-- Gone is a customer that did not visit within the horizon; LOST foretells that.
with organizations as (
    select * from {{ ref('booking_organizations') }}
),

outcomes as not materialized (
    select
        positions.organization_id,
        horizons.horizon_days,
        positions.customer_segment = 'LOST' as is_called_gone,
        coalesce(positions.days_until_next_visit > horizons.horizon_days, true)
            as is_gone,
        positions.days_since_last_visit,
        positions.days_past_expected,
        -- equal to 12 digits is equal
        round(horizons.p_visit::numeric, 12) as p_visit
    from {{ ref('customer_segment_positions') }} as positions
    cross join
        lateral (
            values
            (30, positions.p_visit_30d),
            (60, positions.p_visit_60d),
            (90, positions.p_visit_90d)
        ) as horizons (horizon_days, p_visit)
),

counted as (
    select
        organization_id,
        horizon_days,
        count(*) as positions_count,
        count(*) filter (where is_called_gone and is_gone) as tp,
        count(*) filter (where is_called_gone and not is_gone) as fp,
        count(*) filter (where not is_called_gone and is_gone) as fn,
        count(*) filter (where not is_called_gone and not is_gone) as tn,
        count(days_past_expected) as expected_positions_count,
        count(p_visit) as forecast_positions_count
    from outcomes
    group by organization_id, horizon_days
),

-- the higher a score, the likelier the customer is gone
scores as (
    select
        outcomes.organization_id,
        outcomes.horizon_days,
        outcomes.is_gone,
        score.score_name,
        score.score
    from outcomes
    cross join
        lateral (
            values
            ('silence', outcomes.days_since_last_visit::numeric),
            ('days_past_expected', outcomes.days_past_expected),
            ('p_visit', -outcomes.p_visit),
            (
                'compared_silence',
                case
                    when outcomes.p_visit is not null
                        then outcomes.days_since_last_visit
                end
            )
        ) as score (score_name, score)
    where score.score is not null
),

histogram as (
    select
        organization_id,
        horizon_days,
        score_name,
        score,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as visited_count
    from scores
    group by organization_id, horizon_days, score_name, score
),

ranked as (
    select
        *,
        -- those that visited and score less, and half of those that score the same
        sum(visited_count) over (
            partition by organization_id, horizon_days, score_name order by score
        ) - visited_count / 2.0 as visited_below
    from histogram
),

areas as (
    select
        organization_id,
        horizon_days,
        score_name,
        {{ area('gone_count', 'visited_count', 'visited_below') }} as auc
    from ranked
    group by organization_id, horizon_days, score_name
),

side_by_side as (
    select
        organization_id,
        horizon_days,
        max(auc) filter (where score_name = 'silence') as silence,
        max(auc) filter (where score_name = 'days_past_expected') as days_past_expected,
        max(auc) filter (where score_name = 'p_visit') as p_visit,
        max(auc) filter (where score_name = 'compared_silence') as compared_silence
    from areas
    group by organization_id, horizon_days
),

rated as (
    select
        *,
        tp / nullif(tp + fp, 0)::double precision as precision,
        tp / nullif(tp + fn, 0)::double precision as recall,
        tn / nullif(tn + fp, 0)::double precision as specificity,
        2 * tp / nullif(2 * tp + fp + fn, 0)::double precision as f1,
        (tp + fn) / positions_count::double precision as base_rate
    from counted
),

final as (
    select
        rated.organization_id,
        organizations.organization_slug,
        rated.horizon_days,
        (rated.recall + rated.specificity) / 2 as balanced_accuracy,
        rated.precision,
        rated.recall,
        rated.f1,
        rated.base_rate,
        rated.positions_count,
        rated.tp,
        rated.fp,
        rated.fn,
        rated.tn,
        auc.silence as auc_days_since_last_visit,
        auc.days_past_expected as auc_days_past_expected,
        rated.expected_positions_count,
        auc.p_visit as auc_p_visit,
        auc.compared_silence as auc_days_since_last_visit_of_forecasts,
        rated.forecast_positions_count
    from rated
    inner join organizations
        on rated.organization_id = organizations.organization_id
    inner join side_by_side as auc
        on
            rated.organization_id = auc.organization_id
            and rated.horizon_days = auc.horizon_days
)

select * from final
