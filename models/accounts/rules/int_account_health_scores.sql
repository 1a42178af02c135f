with scores as (
    select * from {{ ref('int_account_days__scores') }}
),

measures as (
    select * from {{ ref('int_account_days__measures') }}
),

churn_risk as (
    select * from {{ ref('int_account_churn_risk') }}
),

accounts as (
    select * from {{ ref('int_accounts') }}
),

-- rounded once, and the published value is judged: 39.996 reads 40.00 and counts as
-- 40.00
rounded as (
    select
        organization_id,
        account_id,
        score_date,
        {{ half_up('exact_score', 2) }}::numeric(5, 2) as health_score,
        {{ half_up('earlier_score', 2) }}::numeric(5, 2) as earlier_score,
        {{ half_up('usage_score', 2) }}::numeric(5, 2) as usage_score,
        {{ half_up('support_score', 2) }}::numeric(5, 2) as support_score,
        {{ half_up('engagement_score', 2) }}::numeric(5, 2) as engagement_score,
        {{ half_up('business_score', 2) }}::numeric(5, 2) as business_score,
        data_coverage,
        weights_version
    from scores
),

final as (
    select
        rounded.organization_id,
        rounded.account_id,
        rounded.score_date,
        rounded.health_score,
        rounded.usage_score,
        rounded.support_score,
        rounded.engagement_score,
        rounded.business_score,
        rounded.data_coverage,
        case
            when rounded.data_coverage < {{ var('account_low_coverage') }} then 'LOW'
            else 'NORMAL'
        end as confidence,
        rounded.earlier_score as score_30_days_ago,
        (rounded.health_score - rounded.earlier_score)::numeric(5, 2)
            as score_change_30d,
        case
            -- churned until the source says otherwise
            when accounts.reported_status = 'churned' then 'churned'
            -- young accounts have no history to judge
            when
                rounded.score_date - accounts.created_on
                < {{ var('account_onboarding_days') }}
                then 'onboarding'
            -- likely to leave, or in bad health
            when
                churn_risk.churn_risk_score >= {{ var('account_at_risk_churn') }}
                or rounded.health_score < {{ var('account_at_risk_health') }}
                then 'at_risk'
            -- nothing measured, nothing suggested
            when rounded.health_score is not null then 'active'
        end as suggested_status,
        accounts.reported_status,
        accounts.reported_health_score,
        measures.measured_on,
        rounded.weights_version
    from rounded
    -- left joins, although every row has a match: they tell the planner the row count
    left join accounts
        on
            rounded.organization_id = accounts.organization_id
            and rounded.account_id = accounts.account_id
    left join measures
        on
            rounded.organization_id = measures.organization_id
            and rounded.account_id = measures.account_id
            and rounded.score_date = measures.evaluated_on
    left join churn_risk
        on
            rounded.organization_id = churn_risk.organization_id
            and rounded.account_id = churn_risk.account_id
            and rounded.score_date = churn_risk.score_date
)

select * from final
