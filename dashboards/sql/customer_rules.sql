-- Every rule of one customer's risk status: its inputs, its threshold, and how far it
-- is from firing.
select
    rule.reason ->> 'rule' as risk_status,
    (rule.reason ->> 'fired')::boolean as has_fired,
    rule.reason -> 'inputs' as inputs,
    rule.reason -> 'threshold' as threshold,
    (rule.reason ->> 'fires_on')::date as fires_on,
    (rule.reason ->> 'fires_on')::date - tenants.today as days_left,
    (rule.reason ->> 'fires_after_pct')::numeric as points_left
from analytics.customer_risk_status as risk_status
inner join analytics.tenants
    on risk_status.tenant_id = tenants.tenant_id
cross join
    lateral jsonb_array_elements(risk_status.reasons)
    with ordinality as rule (reason, position)
where
    risk_status.tenant_id = %(tenant)s
    and risk_status.customer_id = %(customer)s
order by rule.position
