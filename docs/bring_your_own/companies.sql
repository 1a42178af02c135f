-- The tables of northwind.sql, shared by two companies: the second, in Tokyo, has the
-- same customers and orders under the same ids, but for order ids: 5000 higher.
create table northwind.companies (
    company_id smallint primary key,
    company_name text not null,
    zone text not null
);

insert into northwind.companies (company_id, company_name, zone)
values
(1, 'Northwind', 'America/New_York'),
(2, 'Northwind Japan', 'Asia/Tokyo');

alter table northwind.orders drop constraint orders_customer_id_fkey;
alter table northwind.customers drop constraint customers_pkey;
alter table northwind.customers
add column company_id smallint not null default 1 references northwind.companies,
add primary key (company_id, customer_id);
alter table northwind.employees
add column company_id smallint not null default 1 references northwind.companies;
alter table northwind.orders
add column company_id smallint not null default 1 references northwind.companies;

insert into northwind.customers (company_id, customer_id, company_name)
select
    2 as company_id,
    customer_id,
    company_name
from northwind.customers;

insert into northwind.orders (
    company_id, order_id, customer_id, order_date, shipped_date
)
select
    2 as company_id,
    order_id + 5000,
    customer_id,
    order_date,
    shipped_date
from northwind.orders;

insert into northwind.order_details (
    order_id, product_id, unit_price, quantity, discount
)
select
    order_id + 5000,
    product_id,
    unit_price,
    quantity,
    discount
from northwind.order_details;

create index on northwind.orders (company_id, customer_id, order_date);
