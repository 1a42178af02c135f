with factors as (
    select * from {{ ref('int_account_days__factors') }}
),

organizations as (
    select * from {{ ref('int_accounts_organizations') }}
),

final as (
    select
        factors.organization_id,
        factors.account_id,
        factors.score_date,
        factors.component,
        factors.sub_score,
        factors.measured_value,
        factors.score,
        factors.weight,
        factors.handed_over_weight,
        factors.effective_weight,
        factors.points,
        factors.points_lost,
        factors.weights_version
    from factors
    inner join organizations
        on factors.organization_id = organizations.organization_id
    where
        factors.evaluated_on = factors.score_date
        -- older ones would leave with this refresh
        and factors.score_date > organizations.today - {{ var('account_factor_days') }}
)

select * from final
