{{ config(materialized='view_in_place') }}

-- A customer is gone if it did not order within the horizon; DORMANT is the forecast.
with outcomes as not materialized (
    select
        positions.tenant_id,
        horizon.days as horizon_days,
        positions.risk_status = 'DORMANT' as is_called_gone,
        coalesce(positions.days_until_next_order > horizon.days, true) as is_gone,
        positions.days_past_expected,
        -- probabilities that agree to 12 digits are ties
        (horizon.p_order * 1e12)::bigint as p_order
    from {{ ref('risk_status_positions') }} as positions
    cross join
        lateral (
            values
            (30, positions.p_order_30d),
            (60, positions.p_order_60d),
            (90, positions.p_order_90d)
        ) as horizon (days, p_order)
),

tenants as (
    select * from {{ ref('tenants') }}
),

-- the later a customer is, the likelier it is gone
by_days as (
    select
        tenant_id,
        horizon_days,
        days_past_expected,
        count(*) filter (where is_called_gone and is_gone) as tp,
        count(*) filter (where is_called_gone and not is_gone) as fp,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as ordered_count,
        count(p_order) filter (where is_gone) as gone_forecasts_count,
        count(p_order) filter (where not is_gone) as ordered_forecasts_count
    from outcomes
    group by tenant_id, horizon_days, days_past_expected
),

ranked_by_days as (
    select
        *,
        {{ ranked_below(
            'ordered_count', 'days_past_expected', 'tenant_id, horizon_days'
        ) }} as ordered_below,
        {{ ranked_below(
            'ordered_forecasts_count', 'days_past_expected', 'tenant_id, horizon_days'
        ) }} as ordered_forecasts_below
    from by_days
),

lateness as (
    select
        tenant_id,
        horizon_days,
        sum(tp)::bigint as tp,
        sum(fp)::bigint as fp,
        sum(gone_count - tp)::bigint as fn,
        sum(ordered_count - fp)::bigint as tn,
        sum(gone_forecasts_count + ordered_forecasts_count)::bigint
            as forecast_positions_count,
        {{ area('gone_count', 'ordered_count', 'ordered_below') }} as auc,
        {{ area(
            'gone_forecasts_count', 'ordered_forecasts_count', 'ordered_forecasts_below'
        ) }} as auc_of_forecasts
    from ranked_by_days
    group by tenant_id, horizon_days
),

-- the less probable an order, the likelier the customer is gone
by_p_order as (
    select
        tenant_id,
        horizon_days,
        p_order,
        count(*) filter (where is_gone) as gone_count,
        count(*) filter (where not is_gone) as ordered_count
    from outcomes
    where p_order is not null
    group by tenant_id, horizon_days, p_order
),

ranked_by_p_order as (
    select
        *,
        {{ ranked_below('ordered_count', 'p_order desc', 'tenant_id, horizon_days') }}
            as ordered_below
    from by_p_order
),

forecasts as (
    select
        tenant_id,
        horizon_days,
        {{ area('gone_count', 'ordered_count', 'ordered_below') }} as auc
    from ranked_by_p_order
    group by tenant_id, horizon_days
),

rated as (
    select
        *,
        tp + fp + fn + tn as positions_count,
        tp / nullif(tp + fn, 0)::double precision as recall,
        tn / nullif(tn + fp, 0)::double precision as specificity
    from lateness
),

final as (
    select
        rated.tenant_id,
        tenants.tenant_slug,
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
        rated.auc as auc_days_past_expected,
        forecasts.auc as auc_p_order,
        rated.auc_of_forecasts as auc_days_past_expected_of_forecasts,
        rated.forecast_positions_count
    from rated
    inner join tenants
        on rated.tenant_id = tenants.tenant_id
    left join forecasts
        on
            rated.tenant_id = forecasts.tenant_id
            and rated.horizon_days = forecasts.horizon_days
)

select * from final
