-- What each sub-score adds to the score of a day that is published, and to that of the
-- day it is compared with. A component's share is divided among its sub-scores that are
-- there; the share of a component that has none goes to the others.
with measures as (
    select * from {{ ref('int_account_days__measures') }}
),

score_dates as (
    select * from {{ ref('int_account_score_dates') }}
),

weights as (
    select * from {{ ref('account_health_weights') }}
),

scales as (
    select * from {{ ref('account_health_scales') }}
),

versions as (
    select
        version,
        max(weight) filter (where component = 'usage') as usage_weight,
        max(weight) filter (where component = 'support') as support_weight,
        max(weight) filter (where component = 'engagement') as engagement_weight,
        max(weight) filter (where component = 'business') as business_weight
    from weights
    group by version
),

weighted as (
    select
        measures.*,
        score_dates.score_date,
        score_dates.weights_version,
        versions.usage_weight,
        versions.support_weight,
        versions.engagement_weight,
        versions.business_weight
    from score_dates
    inner join measures
        on
            score_dates.organization_id = measures.organization_id
            and measures.evaluated_on in (
                score_dates.score_date,
                score_dates.score_date - {{ var('account_trend_days') }}
            )
    inner join versions
        on score_dates.weights_version = versions.version
),

counted as (
    select
        *,
        num_nonnulls(logins, feature_adoption, training) as usage_count,
        num_nonnulls(tickets, severity, hours_to_resolve, satisfaction)
            as support_count,
        num_nonnulls(completed, outcomes, attendees) as engagement_count,
        num_nonnulls(arr_rank, days_to_renewal, paid_on_time) as business_count
    from weighted
),

covered as (
    select
        *,
        case when usage_count > 0 then usage_weight else 0 end
        + case when support_count > 0 then support_weight else 0 end
        + case when engagement_count > 0 then engagement_weight else 0 end
        + case when business_count > 0 then business_weight else 0 end
            as data_coverage
    from counted
),

measured as (
    select
        covered.organization_id,
        covered.account_id,
        covered.score_date,
        covered.evaluated_on,
        covered.weights_version,
        covered.data_coverage,
        components.component,
        sub_scores.sub_score,
        sub_scores.measured,
        components.component_weight / components.all_count as weight,
        components.component_weight
        / (nullif(covered.data_coverage, 0) * nullif(components.measured_count, 0))
            as weight_when_there
    from covered
    cross join
        lateral (
            values
            ('usage', covered.usage_weight, 3, covered.usage_count),
            ('support', covered.support_weight, 4, covered.support_count),
            ('engagement', covered.engagement_weight, 3, covered.engagement_count),
            ('business', covered.business_weight, 3, covered.business_count)
        ) as components (component, component_weight, all_count, measured_count)
    inner join
        lateral (
            values
            ('usage', 'logins', covered.logins),
            ('usage', 'feature_adoption', covered.feature_adoption),
            ('usage', 'training', covered.training),
            ('support', 'tickets', covered.tickets),
            ('support', 'severity', covered.severity),
            ('support', 'hours_to_resolve', covered.hours_to_resolve),
            ('support', 'satisfaction', covered.satisfaction),
            ('engagement', 'completed', covered.completed),
            ('engagement', 'outcomes', covered.outcomes),
            ('engagement', 'attendees', covered.attendees),
            ('business', 'arr_rank', covered.arr_rank),
            ('business', 'days_to_renewal', covered.days_to_renewal),
            ('business', 'paid_on_time', covered.paid_on_time)
        ) as sub_scores (component, sub_score, measured)
        on components.component = sub_scores.component
),

scored as (
    select
        measured.*,
        100 * least(1, greatest(
            0,
            (measured.measured - scales.zero_at) / (scales.full_at - scales.zero_at)
        )) as score,
        case when measured.measured is null then 0 else measured.weight_when_there end
            as effective_weight
    from measured
    left join scales
        on measured.sub_score = scales.sub_score
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        evaluated_on,
        component,
        sub_score,
        round(measured, 4)::numeric(18, 4) as measured_value,
        case when measured is not null then round(score, 8) end::numeric(11, 8)
            as score,
        round(weight, 10)::numeric(11, 10) as weight,
        round(effective_weight, 10)::numeric(11, 10) as effective_weight,
        round(effective_weight - weight, 10)::numeric(11, 10) as handed_over_weight,
        case when measured is null then 0 else round(score * effective_weight, 8) end
        ::numeric(11, 8) as points,
        case
            when measured is null then 0
            else round((100 - score) * effective_weight, 8)
        end::numeric(11, 8) as points_lost,
        data_coverage::numeric(5, 4) as data_coverage,
        weights_version
    from scored
)

select * from final
