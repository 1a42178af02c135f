with scores as (
    select * from {{ ref('int_account_days__scores') }}
),

measures as (
    select * from {{ ref('int_account_days__measures') }}
),

accounts as (
    select * from {{ ref('int_accounts') }}
),

termed as (
    select
        scores.organization_id,
        scores.account_id,
        scores.score_date,
        {{ var('churn_points_per_health_point') }} * (100 - scores.exact_score)
            as exact_health_points,
        -- an account that did not exist then has lost nothing
        least({{ var('churn_decline_most') }}, greatest(
            0, coalesce(scores.earlier_score - scores.exact_score, 0)
        )) as exact_decline_points,
        case
            when measures.days_since_engagement > {{ var('churn_long_gap_days') }}
                then {{ var('churn_long_gap_points') }}
            when measures.days_since_engagement > {{ var('churn_gap_days') }}
                then {{ var('churn_gap_points') }}
            else 0
        end::numeric(8, 4) as gap_points,
        least(
            {{ var('churn_escalated_most') }},
            {{ var('churn_escalated_points') }} * measures.escalated_tickets_count
        )::numeric(8, 4) as escalation_points,
        -- a past renewal that was not updated counts as near
        case
            when measures.days_to_renewal < {{ var('churn_near_renewal_days') }}
                then {{ var('churn_near_renewal_points') }}
            when measures.days_to_renewal < {{ var('churn_renewal_days') }}
                then {{ var('churn_renewal_points') }}
            else 0
        end::numeric(8, 4) as renewal_points,
        least(
            {{ var('churn_overdue_most') }},
            {{ var('churn_overdue_points') }} * measures.overdue_invoices_count
        )::numeric(8, 4) as overdue_points,
        case
            when measures.has_competitor then {{ var('churn_competitor_points') }}
            else 0
        end::numeric(8, 4) as competitor_points,
        measures.days_since_engagement,
        measures.escalated_tickets_count,
        measures.days_to_renewal::integer as days_to_renewal,
        measures.overdue_invoices_count,
        measures.has_competitor,
        accounts.reported_churn_risk_score
    from scores
    -- left joins, although every row has a match: they tell the planner the row count
    left join measures
        on
            scores.organization_id = measures.organization_id
            and scores.account_id = measures.account_id
            and scores.score_date = measures.evaluated_on
    left join accounts
        on
            scores.organization_id = accounts.organization_id
            and scores.account_id = accounts.account_id
),

summed as (
    select
        *,
        {{ half_up('exact_health_points', 4) }}::numeric(8, 4) as health_points,
        {{ half_up('exact_decline_points', 4) }}::numeric(8, 4) as decline_points,
        gap_points
        + escalation_points
        + renewal_points
        + overdue_points
        + competitor_points as other_points
    from termed
),

final as (
    select
        organization_id,
        account_id,
        score_date,
        -- from the terms before they are rounded, not from their sum
        case
            when exact_health_points is not null
                then least(
                    100,
                    {{ half_up(
                        'exact_health_points + exact_decline_points + other_points', 0
                    ) }}
                )::integer
        end as churn_risk_score,
        (health_points + decline_points + other_points)::numeric(8, 4) as total_points,
        health_points,
        decline_points,
        gap_points,
        escalation_points,
        renewal_points,
        overdue_points,
        competitor_points,
        days_since_engagement,
        escalated_tickets_count,
        days_to_renewal,
        overdue_invoices_count,
        has_competitor,
        reported_churn_risk_score
    from summed
)

select * from final
