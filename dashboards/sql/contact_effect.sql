-- How much contacts with one tenant's customers helped: the whole tenant first, then
-- each rep.
select
    comparison,
    horizon_days,
    sales_rep_id,
    coalesce(sales_rep_name, sales_rep_id::text) as sales_rep_name,
    treated_customers,
    others_customers,
    treated_share,
    others_share,
    difference,
    difference_low,
    difference_high
from analytics.contact_effect
where tenant_id = %(tenant)s
order by
    comparison desc,
    sales_rep_id is not null asc,
    sales_rep_name asc,
    sales_rep_id asc,
    horizon_days asc
