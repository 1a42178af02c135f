-- The sales reps of a tenant, with the figures of their portfolios.
select *
from analytics.rep_metrics
where tenant_id = %(tenant_id)s
order by sales_rep_name asc, sales_rep_id asc
