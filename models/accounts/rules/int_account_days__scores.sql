with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        -- not rounded: the churn risk is computed from both
        sum(score * effective_weight) filter (
            where evaluated_on = score_date and data_coverage > 0
        ) as exact_score,
        sum(score * effective_weight) filter (
            where evaluated_on < score_date and data_coverage > 0
        ) as earlier_score,
        {%- for component in ['usage', 'support', 'engagement', 'business'] %}
        {{ exact_mean(
            'score', "evaluated_on = score_date and component = '" ~ component ~ "'"
        ) }} as {{ component }}_score,
        {%- endfor %}
        max(data_coverage) filter (where evaluated_on = score_date) as data_coverage,
        max(weights_version) as weights_version
    from factors
    group by account_id, organization_id, score_date
    -- an account archived since then is not scored; it only takes part in the ranks
    having bool_or(evaluated_on = score_date)
)

select * from final
