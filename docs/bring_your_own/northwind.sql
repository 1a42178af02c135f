-- A database in the shape of Northwind, with rows of our own: what
-- docs/bring_your_own_database.md maps to the orders system. The columns are those that
-- Northwind documents, less the ones that nothing here reads.
create schema northwind;

create table northwind.customers (
    customer_id character(5) primary key,
    company_name character varying(40) not null,
    contact_name character varying(30),
    city character varying(15),
    country character varying(15),
    phone character varying(24)
);

create table northwind.employees (
    employee_id smallint primary key,
    last_name character varying(20) not null,
    first_name character varying(10) not null,
    title character varying(30),
    hire_date date
);

create table northwind.orders (
    order_id smallint primary key,
    customer_id character(5) references northwind.customers,
    employee_id smallint references northwind.employees,
    order_date date,
    required_date date,
    shipped_date date,
    freight real
);

create table northwind.order_details (
    order_id smallint references northwind.orders,
    product_id smallint,
    unit_price real not null,
    quantity smallint not null,
    discount real not null,
    primary key (order_id, product_id)
);

insert into northwind.employees (
    employee_id, last_name, first_name, title, hire_date
)
values
(1, 'Okafor', 'Ngozi', 'Sales Representative', '2019-04-01'),
(2, 'Lindqvist', 'Maja', 'Sales Representative', '2021-09-15');

insert into northwind.customers (customer_id, company_name, contact_name, country)
values
('ALPEN', 'Alpenhof Laden', 'Resi Gruber', 'Austria'),
('BREZL', 'Brezel und Bier', 'Toni Huber', 'Germany'),
('CIDRE', 'Cidrerie du Port', 'Yann Le Goff', 'France'),
('DELTA', 'Delta Grocers', 'Ana Ruiz', 'Spain'),
('ESKIL', 'Eskilstuna Mat', 'Nils Ek', 'Sweden'),
('FIORI', 'Fiori Delicatezze', 'Elena Riva', 'Italy');

-- every so many days, each shipped two days later
insert into northwind.orders (
    order_id, customer_id, employee_id, order_date, shipped_date
)
select
    rhythm.first_id + number - 1,
    rhythm.customer_id,
    rhythm.employee_id,
    rhythm.first_on + (number - 1) * rhythm.days,
    rhythm.first_on + (number - 1) * rhythm.days + 2
from (
    values
    (1000, 'ALPEN', 1, 30, 5, date '2026-01-30'),
    (1100, 'BREZL', 1, 14, 6, date '2026-03-09'),
    (1200, 'CIDRE', 2, 30, 4, date '2025-10-10'),
    (1300, 'FIORI', 2, 10, 8, date '2026-04-01')
) as rhythm (first_id, customer_id, employee_id, days, orders_count, first_on)
cross join lateral generate_series(1, rhythm.orders_count) as number;

-- one that is not shipped yet, and one of nobody
insert into northwind.orders (order_id, customer_id, employee_id, order_date)
values
(1400, 'ESKIL', 1, '2026-06-12'),
(1500, null, 2, '2026-06-01');

-- 100.00 and 10 % off 50.00: 145.00 an order, of FIORI half as much for the last three
insert into northwind.order_details (
    order_id, product_id, unit_price, quantity, discount
)
select
    order_id,
    11,
    10,
    case when order_id between 1305 and 1307 then 5 else 10 end,
    0
from northwind.orders
union all
select
    order_id,
    42,
    12.5,
    case when order_id between 1305 and 1307 then 2 else 4 end,
    0.1
from northwind.orders;

create index on northwind.orders (customer_id, order_date);
