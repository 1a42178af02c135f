-- What an application changes in an hour for some customers who order, across the
-- tenants. Of ten customers, eight get a new order, one has an old order edited, and
-- one has its latest order deleted. Each round has other customers.
create temp table chosen_customers as
select
    tenant_id,
    customer_id,
    mod(row_number() over (order by turn, drawn), 10) as kind
from (
    select
        tenant_id,
        customer_id,
        drawn,
        row_number() over (partition by tenant_id order by drawn) as turn
    from (
        select
            tenant_id,
            id as customer_id,
            md5(id || %(round)s::text) as drawn
        from commerce.customers
        where not is_closed
    ) as customers
) as turns
order by turn, drawn
limit %(changed)s;

insert into commerce.orders
select
    md5(customer_id || %(round)s::text)::uuid, tenant_id, customer_id, 'DELIVERED',
    %(until)s::timestamptz - interval '2 hours', %(until)s::timestamptz - interval '1 hour',
    99.95, 'USD', %(until)s, %(written)s
from chosen_customers
where kind > 1;

update commerce.orders
set total_amount = total_amount * 2, updated_at = %(written)s
where id in (
    select old.id
    from chosen_customers as chosen
    cross join lateral (
        select id from commerce.orders
        where tenant_id = chosen.tenant_id and customer_id = chosen.customer_id
        order by ordered_at
        limit 1
    ) as old
    where kind = 1
);

delete from commerce.orders
where id in (
    select latest.id
    from chosen_customers as chosen
    cross join lateral (
        select id from commerce.orders
        where tenant_id = chosen.tenant_id and customer_id = chosen.customer_id
        order by ordered_at desc
        limit 1
    ) as latest
    where kind = 0
);

drop table chosen_customers
