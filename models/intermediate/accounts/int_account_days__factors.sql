-- What each sub-score adds to the score of a day that is published, and to that of the
-- day it is compared with. A component's share is divided among its sub-scores that are
-- there; the share of a component that has none goes to the others.
{%- set sub_scores = {
    'usage': ['logins', 'feature_adoption', 'training'],
    'support': ['tickets', 'severity', 'hours_to_resolve', 'satisfaction'],
    'engagement': ['completed', 'outcomes', 'attendees'],
    'business': ['arr_rank', 'days_to_renewal', 'paid_on_time'],
} %}

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
        version
        {%- for component in sub_scores %},
        max(weight) filter (where component = '{{ component }}')
            as {{ component }}_weight
        {%- endfor %}
    from weights
    group by version
),

counted as (
    select
        measures.*,
        score_dates.score_date,
        score_dates.weights_version
        {%- for component in sub_scores %},
        versions.{{ component }}_weight
        {%- endfor %}
        {%- for component, names in sub_scores.items() %},
        num_nonnulls({{ names | join(', ') }}) as {{ component }}_count
        {%- endfor %}
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

covered as (
    select
        *,
        {%- for component in sub_scores %}
        case when {{ component }}_count > 0 then {{ component }}_weight else 0 end
        {{- ' +' if not loop.last }}
        {%- endfor %} as data_coverage
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
        sub_score.*
    from covered
    cross join lateral (
        values
        {%- for component, names in sub_scores.items() %}
        {%- set outer_loop = loop %}
        {%- for name in names %}
        (
            '{{ component }}', '{{ name }}', covered.{{ name }},
            covered.{{ component }}_weight / {{ names | length }},
            covered.{{ component }}_weight
            / (nullif(covered.data_coverage, 0) * nullif(covered.{{ component }}_count, 0))
        ){{ ',' if not (loop.last and outer_loop.last) }}
        {%- endfor %}
        {%- endfor %}
    ) as sub_score (component, sub_score, measured, weight, share)
),

scored as (
    select
        measured.*,
        100 * least(1, greatest(
            0,
            (measured.measured - scales.zero_at) / (scales.full_at - scales.zero_at)
        )) as score,
        case when measured.measured is null then 0 else measured.share end
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
        case when measured is not null then round(score, 8) end::numeric(11, 8) as score,
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
