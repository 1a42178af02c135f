-- The owners of a tenant's customers, for a filter.
select
    sales_reps.tenant_id::text || '/' || sales_reps.sales_rep_id::text as key,
    sales_reps.tenant_id,
    sales_reps.sales_rep_id,
    coalesce(sales_reps.sales_rep_name, sales_reps.sales_rep_email, 'no name')
        as sales_rep_name,
    tenants.tenant_slug
from analytics.sales_reps
inner join analytics.tenants
    on sales_reps.tenant_id = tenants.tenant_id
where %(tenant)s is null or sales_reps.tenant_id = %(tenant)s
order by sales_rep_name, tenants.tenant_slug, sales_reps.sales_rep_id
