with weighted as (
    select * from {{ ref('int_tenant_health_factors__weighted') }}
),

final as (
    select
        organization_id,
        metric_date,
        component,
        measured_count,
        possible_count,
        measured_ratio,
        target,
        component_score,
        weight,
        weighted_points,
        points_lost,
        has_data,
        weights_version
    from weighted
    where is_in_force
)

select * from final
