-- The accounts that are most likely to leave.
select
    profiles.organization_id::text || '/' || profiles.account_id::text as key,
    profiles.organization_id,
    organizations.organization_slug,
    profiles.account_id,
    coalesce(profiles.account_name, profiles.account_id::text) as account_name,
    profiles.suggested_status,
    profiles.health_score,
    profiles.score_change_30d,
    profiles.churn_risk_score,
    profiles.arr,
    profiles.renewal_on
from analytics.account_profiles as profiles
inner join analytics.success_organizations as organizations
    on profiles.organization_id = organizations.organization_id
where
    (%(organization)s is null or profiles.organization_id = %(organization)s)
    and (
        %(search)s is null
        or strpos(lower(profiles.account_name), lower(%(search)s)) > 0
        or profiles.account_id::text = %(search)s
        -- of a link
        or concat_ws('/', profiles.organization_id, profiles.account_id)
        = %(search)s
    )
order by
    -- a match by id before matches by name
    coalesce(profiles.account_id::text = %(search)s, false) desc,
    profiles.churn_risk_score desc nulls last,
    profiles.organization_id asc,
    profiles.account_id asc
limit 16
