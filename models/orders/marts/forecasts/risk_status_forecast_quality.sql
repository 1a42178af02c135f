{{ config(materialized='view_in_place') }}

-- "gone" is a customer that did not order within the horizon; DORMANT says that it will be
with positions as (
    select * from {{ ref('risk_status_positions') }}
),

tenants as (
    select * from {{ ref('tenants') }}
),

outcomes as (
    select
        positions.tenant_id,
        horizons.horizon_days,
        positions.risk_status = 'DORMANT' as is_called_gone,
        coalesce(positions.days_until_next_order > horizons.horizon_days, true)
            as is_gone,
        positions.days_past_expected,
        -- equal to 12 digits is equal
        round((
            case horizons.horizon_days
                when 30 then positions.p_order_30d
                when 60 then positions.p_order_60d
                else positions.p_order_90d
            end
        )::numeric, 12) as p_order
    from positions
    cross join (values (30), (60), (90)) as horizons (horizon_days)
),

counted as (
    select
        tenant_id,
        horizon_days,
        count(*) as positions_count,
        count(*) filter (where is_called_gone and is_gone) as tp,
        count(*) filter (where is_called_gone and not is_gone) as fp,
        count(*) filter (where not is_called_gone and is_gone) as fn,
        count(*) filter (where not is_called_gone and not is_gone) as tn,
        count(p_order) as forecast_positions_count
    from outcomes
    group by tenant_id, horizon_days
),

-- the higher a score, the likelier the customer is gone
scores as (
    select
        outcomes.tenant_id,
        outcomes.horizon_days,
        outcomes.is_gone,
        score.score_name,
        score.score
    from outcomes
    cross join
        lateral (
            values
            ('days_past_expected', outcomes.days_past_expected::numeric),
            ('p_order', -outcomes.p_order),
            (
                'days_past_expected_of_forecasts',
                case
                    when outcomes.p_order is not null then outcomes.days_past_expected
                end
            )
        ) as score (score_name, score)
    where score.score is not null
),

histogram as (
    select
        tenant_id,
        horizon_days,
        score_name,
        score,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as ordered_count
    from scores
    group by tenant_id, horizon_days, score_name, score
),

ranked as (
    select
        *,
        -- those that ordered and score less, and half of those that score the same
        sum(ordered_count) over (
            partition by tenant_id, horizon_days, score_name order by score
        ) - ordered_count / 2.0 as ordered_below
    from histogram
),

areas as (
    select
        tenant_id,
        horizon_days,
        score_name,
        (
            sum(gone_count * ordered_below)
            / nullif(sum(gone_count) * sum(ordered_count), 0)
        )::double precision as auc
    from ranked
    group by tenant_id, horizon_days, score_name
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
        rated.tenant_id,
        tenants.tenant_slug,
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
        late.auc as auc_days_past_expected,
        forecast.auc as auc_p_order,
        late_of_forecasts.auc as auc_days_past_expected_of_forecasts,
        rated.forecast_positions_count
    from rated
    inner join tenants
        on rated.tenant_id = tenants.tenant_id
    left join areas as late
        on
            rated.tenant_id = late.tenant_id
            and rated.horizon_days = late.horizon_days
            and late.score_name = 'days_past_expected'
    left join areas as forecast
        on
            rated.tenant_id = forecast.tenant_id
            and rated.horizon_days = forecast.horizon_days
            and forecast.score_name = 'p_order'
    left join areas as late_of_forecasts
        on
            rated.tenant_id = late_of_forecasts.tenant_id
            and rated.horizon_days = late_of_forecasts.horizon_days
            and late_of_forecasts.score_name = 'days_past_expected_of_forecasts'
)

select * from final
