with days as (
    select * from {{ ref('int_tenant_health_days') }}
),

factors as (
    select * from {{ ref('int_tenant_health_factors__weighted') }}
),

totals as (
    select
        organization_id,
        metric_date,
        weights_version,
        is_in_force,
        round(sum(weighted_points))::integer as overall_score,
        round(
            sum(weighted_points) filter (where has_data)
            / nullif(sum(weight) filter (where has_data), 0)
        )::integer as overall_score_observed,
        coalesce(sum(weight) filter (where has_data), 0) as data_coverage,
        bool_or(has_data) filter (where component = 'login')
            as has_login_data,
        bool_or(has_data) filter (where component = 'case_resolution')
            as has_case_resolution_data,
        bool_or(has_data) filter (where component = 'campaign_completion')
            as has_campaign_completion_data,
        bool_or(has_data) filter (where component = 'feature_adoption')
            as has_feature_adoption_data,
        bool_or(has_data) filter (where component = 'support_tickets')
            as has_support_tickets_data,
        (
            array_agg(
                component order by weighted_points desc, weight desc, component asc
            )
            filter (where has_data and weighted_points > 0)
        )[1] as top_driver,
        (
            array_agg(component order by points_lost desc, weight desc, component asc)
            filter (where points_lost > 0)
        )[1] as top_drag
    from factors
    group by organization_id, metric_date, weights_version, is_in_force
),

compared as (
    select
        totals.*,
        days.previous_metric_date,
        previous.overall_score as previous_score,
        -- the previous day with this day's weights, because new weights are not a
        -- change in the organization
        comparable.overall_score as comparable_previous_score,
        totals.overall_score - comparable.overall_score as score_change,
        coalesce(days.weights_version != days.previous_weights_version, false)
            as has_new_weights
    from days
    inner join totals
        on
            days.organization_id = totals.organization_id
            and days.metric_date = totals.metric_date
            and totals.is_in_force
    left join totals as previous
        on
            days.organization_id = previous.organization_id
            and days.previous_metric_date = previous.metric_date
            and previous.is_in_force
    left join totals as comparable
        on
            days.organization_id = comparable.organization_id
            and days.previous_metric_date = comparable.metric_date
            and days.weights_version = comparable.weights_version
),

trended as (
    select
        *,
        case
            when score_change > {{ var('tenant_trend_points') }} then 'IMPROVING'
            when score_change < -{{ var('tenant_trend_points') }} then 'DECLINING'
            -- the first day has no earlier day to compare with
            else 'STABLE'
        end as trend
    from compared
),

final as (
    select
        organization_id,
        metric_date,
        overall_score,
        overall_score_observed,
        data_coverage::numeric(5, 4) as data_coverage,
        has_login_data,
        has_case_resolution_data,
        has_campaign_completion_data,
        has_feature_adoption_data,
        has_support_tickets_data,
        previous_metric_date,
        previous_score,
        comparable_previous_score,
        score_change,
        trend,
        case
            -- so low that nothing else matters
            when overall_score < {{ var('tenant_high_below') }} then 'HIGH'
            -- low, and on the way down
            when
                overall_score < {{ var('tenant_declining_high_below') }}
                and trend = 'DECLINING'
                then 'HIGH'
            -- not good, or no longer
            when
                overall_score < {{ var('tenant_medium_below') }}
                or trend = 'DECLINING'
                then 'MEDIUM'
            else 'LOW'
        end as risk_level,
        top_driver,
        top_drag,
        weights_version,
        has_new_weights
    from trended
)

select * from final
