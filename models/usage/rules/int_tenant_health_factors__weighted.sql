-- Every day with the weights in force. The last day before new weights is also scored
-- with the new ones, so that the next day can be compared with it.
with days as not materialized (
    select * from {{ ref('int_tenant_health_days') }}
),

components as (
    select * from {{ ref('int_tenant_health_components') }}
),

weights as (
    select * from {{ ref('tenant_health_weights') }}
),

scored_by as (
    select
        organization_id,
        metric_date,
        weights_version,
        true as is_in_force
    from days

    union all

    select
        organization_id,
        metric_date,
        next_weights_version as weights_version,
        false as is_in_force
    from days
    where next_weights_version != weights_version
),

measured as (
    select
        scored_by.organization_id,
        scored_by.metric_date,
        scored_by.weights_version,
        scored_by.is_in_force,
        weights.component,
        components.measured_count,
        components.possible_count,
        components.has_data,
        weights.weight,
        weights.target,
        weights.score_without_data,
        -- tickets: what is left of 100 points; otherwise the share of what was possible
        case
            when weights.points_per_ticket is null then components.measured_count
            else
                greatest(
                    0, 100 - weights.points_per_ticket * components.measured_count
                )
        end::numeric as part,
        case
            when weights.points_per_ticket is null then components.possible_count
            else 100
        end::numeric as whole
    from scored_by
    inner join weights
        on scored_by.weights_version = weights.weights_version
    inner join components
        on
            scored_by.organization_id = components.organization_id
            and scored_by.metric_date = components.metric_date
            and weights.component = components.component
),

scored as (
    select
        *,
        case
            when has_data then (part / whole)::numeric(7, 6)
        end as measured_ratio,
        case
            when has_data then least(100, round(100 * part / (whole * target)))
            else score_without_data
        end::integer as component_score
    from measured
),

final as (
    select
        organization_id,
        metric_date,
        component,
        weights_version,
        is_in_force,
        measured_count,
        possible_count,
        measured_ratio,
        target,
        component_score,
        weight,
        (weight * component_score)::numeric(7, 4) as weighted_points,
        (weight * (100 - component_score))::numeric(7, 4) as points_lost,
        has_data
    from scored
)

select * from final
