-- The sales reps of a tenant, with their portfolios in numbers.
select *
from analytics.rep_metrics
where tenant_id = %(tenant_id)s
order by sales_rep_name asc, sales_rep_id asc
