-- nobody in particular looks after a customer
select
    null::text as tenant_id,
    null::text as sales_rep_id,
    null::text as sales_rep_name
where false
