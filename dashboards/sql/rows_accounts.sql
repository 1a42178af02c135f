-- Accounts by the status that their figures suggest, the highest churn risk first.
select
    profiles.organization_id::text || '/' || profiles.account_id::text as key,
    organizations.organization_slug,
    profiles.account_id,
    coalesce(profiles.account_name, profiles.account_id::text) as account_name,
    profiles.suggested_status,
    profiles.reported_status,
    profiles.health_score,
    profiles.churn_risk_score,
    profiles.arr,
    profiles.renewal_on,
    count(*) over () as rows_count
from analytics.account_profiles as profiles
inner join analytics.success_organizations as organizations
    on profiles.organization_id = organizations.organization_id
where
    (%(organization)s is null or profiles.organization_id = %(organization)s)
    and (
        %(account_status)s is null
        or coalesce(profiles.suggested_status, 'none') = %(account_status)s
    )
order by
    profiles.churn_risk_score desc nulls last,
    profiles.organization_id asc,
    profiles.account_id asc
limit %(limit)s offset %(offset)s
