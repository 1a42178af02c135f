-- What each sub-score adds to the score of a published day, and to that of the day with
-- which it is compared. A component's weight is divided among its sub-scores that have
-- a value; the weight of a component without any goes to the others.
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
        components.weight,
        components.weight_when_there
    from covered
    cross join
        lateral (
            select
                parts.component,
                {{ exact_ratio('parts.component_weight', 'parts.all_count') }}
                    as weight,
                -- 0 if all that was measured has no weight
                coalesce({{ exact_ratio(
                    'parts.component_weight',
                    '(nullif(covered.data_coverage, 0) * nullif(parts.there_count, 0))'
                ) }}, 0) as weight_when_there
            from (
                values
                ('usage', covered.usage_weight, 3, covered.usage_count),
                ('support', covered.support_weight, 4, covered.support_count),
                ('engagement', covered.engagement_weight, 3, covered.engagement_count),
                ('business', covered.business_weight, 3, covered.business_count)
            ) as parts (component, component_weight, all_count, there_count)
            -- a fence: both are computed once per component, not once per sub-score
            {{ fence() }}
        ) as components
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

-- nothing is rounded here, because the scores are computed from this
final as (
    select
        measured.organization_id,
        measured.account_id,
        measured.score_date,
        measured.evaluated_on,
        measured.component,
        measured.sub_score,
        measured.measured,
        case
            when measured.measured is not null
                then least(100, greatest(
                    0,
                    {{ exact_ratio(
                        '(100 * (measured.measured - scales.zero_at))',
                        '(scales.full_at - scales.zero_at)'
                    ) }}
                ))
        end as score,
        measured.weight,
        case when measured.measured is null then 0 else measured.weight_when_there end
            as effective_weight,
        measured.data_coverage::numeric(5, 4) as data_coverage,
        measured.weights_version
    from measured
    left join scales
        on measured.sub_score = scales.sub_score
)

select * from final
