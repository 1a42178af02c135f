with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        component,
        sub_score,
        measured_value,
        score,
        weight,
        handed_over_weight,
        effective_weight,
        points,
        points_lost,
        weights_version
    from factors
    where evaluated_on = score_date
)

select * from final
