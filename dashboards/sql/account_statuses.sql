-- Accounts by the status that their figures suggest.
select
    suggested_status,
    count(*) as accounts_count,
    sum(arr) as arr,
    count(*) filter (where reported_status is distinct from suggested_status)
        as disagreeing_count
from analytics.account_profiles
where %(organization)s is null or organization_id = %(organization)s
group by suggested_status
