-- The customers of a tenant by sales rep and risk status.
select *
from analytics.customer_health_summary
where
    tenant_id = %(tenant_id)s
    and (%(sales_rep)s is null or sales_rep_id = %(sales_rep)s)
order by sales_rep_name asc, sales_rep_id asc, risk_status asc
