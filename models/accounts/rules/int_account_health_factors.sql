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
        {{ half_up('factors.measured', 4) }}::numeric(18, 4) as measured_value,
        {{ half_up('factors.score', 8) }}::numeric(11, 8) as score,
        {{ half_up('factors.weight', 10) }}::numeric(11, 10) as weight,
        {{ half_up('factors.effective_weight - factors.weight', 10) }}::numeric(11, 10)
            as handed_over_weight,
        {{ half_up('factors.effective_weight', 10) }}::numeric(11, 10)
            as effective_weight,
        case
            when factors.score is null then 0
            else {{ half_up('factors.score * factors.effective_weight', 8) }}
        end::numeric(11, 8) as points,
        case
            when factors.score is null then 0
            else {{ half_up('(100 - factors.score) * factors.effective_weight', 8) }}
        end::numeric(11, 8) as points_lost,
        factors.weights_version
    from factors
    inner join organizations
        on factors.organization_id = organizations.organization_id
    where
        factors.evaluated_on = factors.score_date
        -- older factors would be deleted by this refresh
        and factors.score_date > organizations.today - {{ var('account_factor_days') }}
)

select * from final
