-- One account today.
select
    coalesce(profiles.account_name, profiles.account_id::text) as account_name,
    organizations.organization_slug,
    profiles.industry,
    profiles.account_size,
    profiles.arr,
    profiles.renewal_on,
    profiles.renewal_on - organizations.today as days_to_renewal,
    profiles.suggested_status,
    profiles.reported_status,
    profiles.score_date,
    profiles.health_score,
    profiles.score_change_30d,
    profiles.reported_health_score,
    profiles.confidence,
    profiles.churn_risk_score,
    profiles.days_since_engagement
from analytics.account_profiles as profiles
inner join analytics.success_organizations as organizations
    on profiles.organization_id = organizations.organization_id
where
    profiles.organization_id = %(organization)s
    and profiles.account_id = %(account)s
