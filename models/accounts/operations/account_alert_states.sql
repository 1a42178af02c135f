-- States of accounts that can raise an alert. Churned accounts have no rows.
with organizations as (
    select * from {{ ref('success_organizations') }}
),

profiles as (
    select * from {{ ref('account_profiles') }}
),

engagements as (
    select * from {{ ref('account_engagement_summary') }}
),

churn_risk as not materialized (
    select * from {{ ref('account_churn_risk') }}
),

-- the day to compare with, and whether a day after today was published: then the marts
-- hold a past day that somebody requested, and the state is unknown
clocks as (
    select
        organizations.organization_id,
        organizations.organization_slug,
        (
            select max(churn_risk.score_date)
            from churn_risk
            where
                churn_risk.organization_id = organizations.organization_id
                and churn_risk.score_date
                <= organizations.today - {{ var('alert_churn_rise_days') }}
        ) as compared_on,
        exists(
            select from churn_risk
            where
                churn_risk.organization_id = organizations.organization_id
                and churn_risk.score_date > organizations.today
        ) as is_past
    from organizations
),

compared as (
    select
        clocks.organization_slug,
        clocks.is_past,
        clocks.compared_on,
        profiles.*,
        engagements.has_engagement_gap,
        profiles.churn_risk_score - earlier.churn_risk_score as churn_risk_rise
    from profiles
    inner join clocks
        on profiles.organization_id = clocks.organization_id
    inner join engagements
        on
            profiles.organization_id = engagements.organization_id
            and profiles.account_id = engagements.account_id
    left join churn_risk as earlier
        on
            profiles.organization_id = earlier.organization_id
            and profiles.account_id = earlier.account_id
            and clocks.compared_on = earlier.score_date
    where profiles.suggested_status is distinct from 'churned'
),

judged as (
    select
        compared.*,
        states.*,
        case
            when states.kind = 'ACCOUNT_CHURN_RISK'
                then format('the churn risk is %s', compared.churn_risk_score)
            when
                states.kind = 'ACCOUNT_CHURN_RISING'
                and compared.churn_risk_rise is null
                then
                    format(
                        'the churn risk is %s; no earlier one is known',
                        compared.churn_risk_score
                    )
            when states.kind = 'ACCOUNT_CHURN_RISING'
                then
                    format(
                        'the churn risk is %s, and was %s on %s',
                        compared.churn_risk_score,
                        compared.churn_risk_score - compared.churn_risk_rise,
                        {{ iso_date('compared.compared_on') }}
                    )
            when states.kind = 'ACCOUNT_ENGAGEMENT_GAP'
                then
                    format(
                        '%s without an engagement',
                        {{ count_of('compared.days_since_engagement', 'day') }}
                    )
            when states.kind = 'ACCOUNT_TICKET_ESCALATED'
                then
                    {{ count_of('compared.escalated_tickets_count', 'open ticket') }}
                    || ' escalated'
        end as what
    from compared
    -- without texts, because Citus takes no format() in values
    cross join lateral (
        values
        (
            'ACCOUNT_CHURN_RISK',
            compared.churn_risk_score > {{ var('alert_churn_over') }}
        ),
        (
            'ACCOUNT_CHURN_RISING',
            -- without a day to compare with, it has not risen
            coalesce(compared.churn_risk_rise >= {{ var('alert_churn_rise') }}, false)
        ),
        ('ACCOUNT_ENGAGEMENT_GAP', compared.has_engagement_gap),
        ('ACCOUNT_TICKET_ESCALATED', compared.escalated_tickets_count > 0)
    ) as states (kind, is_so)
),

final as (
    select
        kind,
        'account' as subject_kind,
        organization_id::text as tenant_id,
        organization_slug as tenant_slug,
        account_id::text as subject,
        case when not is_past then is_so end as is_on,
        coalesce(account_name, account_id::text) || ': ' || what as message,
        jsonb_build_object(
            'account_id', account_id,
            'account_name', account_name,
            'churn_risk_score', churn_risk_score,
            'churn_risk_rise', churn_risk_rise,
            'health_score', health_score,
            'arr', arr
        ) as details
    from judged
)

select * from final
