-- Accounts of an organization, with health and churn risk.
with accounts as not materialized (
    select
        account_profiles.organization_id,
        account_profiles.account_id,
        account_profiles.account_name,
        account_profiles.industry,
        account_profiles.account_size,
        account_profiles.arr,
        account_profiles.renewal_on,
        account_profiles.reported_status,
        account_profiles.reported_health_score,
        account_profiles.reported_churn_risk_score,
        account_profiles.suggested_status,
        account_profiles.score_date,
        account_profiles.health_score,
        account_profiles.data_coverage,
        account_profiles.confidence,
        account_profiles.score_change_30d,
        account_profiles.churn_risk_score,
        account_profiles.days_since_engagement,
        account_profiles.open_tickets_count,
        account_profiles.overdue_invoices_count,
        account_profiles.overdue_amount
    from analytics.account_profiles
    where
        account_profiles.organization_id = %(organization_id)s
        and (%(status)s is null or account_profiles.suggested_status = %(status)s)
        and (
            %(health_from)s is null
            or account_profiles.health_score >= %(health_from)s
        )
        and (%(health_to)s is null or account_profiles.health_score < %(health_to)s)
        and (
            %(search)s is null
            or strpos(lower(account_profiles.account_name), lower(%(search)s)) > 0
            or account_profiles.account_id::text = %(search)s
        )
)

select
    *,
    (select count(*) from accounts) as total
from accounts
order by
    -- one of these is a column, the others are NULL
    case when %(sort)s = 'account_name' then account_name end asc,
    case when %(sort)s = 'health_score' then health_score end asc,
    case when %(sort)s = '-churn_risk_score' then churn_risk_score end desc nulls last,
    case when %(sort)s = '-arr' then arr end desc nulls last,
    case when %(sort)s = 'renewal_on' then renewal_on end asc,
    account_id asc
limit %(limit)s offset %(offset)s
