-- Organizations by risk on their latest day.
select
    risk_level,
    count(*) as organizations_count,
    count(*) filter (where trend = 'DECLINING') as declining_count
from analytics.tenant_latest_health
group by risk_level
