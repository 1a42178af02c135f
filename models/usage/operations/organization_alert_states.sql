-- States of an organization that can raise an alert: a low score, or a very low one.
with latest as (
    select * from {{ ref('tenant_latest_health') }}
),

scores as (
    select * from {{ ref('tenant_health_scores') }}
),

judged as (
    select
        latest.*,
        limits.kind,
        limits.below,
        -- unknown without any data, and while the marts hold a past day
        case
            when
                latest.data_coverage > 0
                and not exists (
                    select from scores
                    where
                        scores.organization_id = latest.organization_id
                        and scores.metric_date > latest.metric_date
                )
                then latest.overall_score < limits.below
        end as is_on
    from latest
    cross join (
        values
        ('TENANT_HEALTH_LOW', {{ var('tenant_declining_high_below') }}),
        ('TENANT_HEALTH_CRITICAL', {{ var('tenant_high_below') }})
    ) as limits (kind, below)
),

final as (
    select
        kind,
        'organization' as subject_kind,
        organization_id::text as tenant_id,
        organization_slug as tenant_slug,
        '' as subject,
        is_on,
        case
            when overall_score < below
                then
                    format('the health score is %s, below %s', overall_score, below)
                    || coalesce(
                        '; most points are lost to ' || replace(top_drag, '_', ' '), ''
                    )
            else format('the health score is %s again', overall_score)
        end as message,
        jsonb_build_object(
            'metric_date', metric_date,
            'overall_score', overall_score,
            'overall_score_observed', overall_score_observed,
            'data_coverage', data_coverage,
            'previous_score', previous_score,
            'risk_level', risk_level,
            'top_drag', top_drag
        ) as details
    from judged
)

select * from final
