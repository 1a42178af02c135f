-- A database in the shape of Pagila, with rows of our own: what
-- docs/bring_your_own_database.md maps to the bookings system. The columns are those
-- that Pagila documents, less the ones that nothing here reads.
create schema pagila;

create table pagila.store (
    store_id integer primary key,
    manager_staff_id integer not null,
    address_id integer not null,
    last_update timestamptz not null default now()
);

create table pagila.staff (
    staff_id integer primary key,
    first_name text not null,
    last_name text not null,
    store_id integer not null references pagila.store,
    active boolean not null default true,
    last_update timestamptz not null default now()
);

create table pagila.customer (
    customer_id integer primary key,
    store_id integer not null references pagila.store,
    first_name text not null,
    last_name text not null,
    email text,
    activebool boolean not null default true,
    create_date date not null,
    last_update timestamptz default now()
);

create table pagila.rental (
    rental_id integer primary key,
    rental_date timestamptz not null,
    inventory_id integer not null,
    customer_id integer not null references pagila.customer,
    return_date timestamptz,
    staff_id integer not null references pagila.staff,
    last_update timestamptz not null default now()
);

create table pagila.payment (
    payment_id integer not null,
    customer_id integer not null references pagila.customer,
    staff_id integer not null references pagila.staff,
    rental_id integer not null references pagila.rental,
    amount numeric(5, 2) not null,
    payment_date timestamptz not null,
    primary key (payment_date, payment_id)
) partition by range (payment_date);

create table pagila.payment_2025 partition of pagila.payment
for values from ('2025-01-01 00:00:00+00') to ('2026-01-01 00:00:00+00');
create table pagila.payment_2026 partition of pagila.payment
for values from ('2026-01-01 00:00:00+00') to ('2027-01-01 00:00:00+00');

insert into pagila.store (store_id, manager_staff_id, address_id)
values (1, 1, 101), (2, 2, 102);

insert into pagila.staff (staff_id, first_name, last_name, store_id)
values (1, 'Ines', 'Moreau', 1), (2, 'Tom', 'Becker', 2);

insert into pagila.customer (
    customer_id, store_id, first_name, last_name, email, create_date
)
values
(1, 1, 'AMARA', 'DIALLO', 'amara.diallo@example.org', '2025-01-10'),
(2, 1, 'BRUNO', 'KELLER', 'bruno.keller@example.org', '2025-01-12'),
(3, 2, 'CHIARA', 'FONTI', 'chiara.fonti@example.org', '2025-02-01'),
(4, 2, 'DEWI', 'PUTRI', null, '2026-05-20'),
(5, 1, 'EMIL', 'SORENSEN', 'emil.sorensen@example.org', '2026-06-01');

-- every so many days, at noon in New York
insert into pagila.rental (
    rental_id, rental_date, inventory_id, customer_id, staff_id, last_update
)
select
    rhythm.first_id + number - 1,
    rented.moment,
    500 + number,
    rhythm.customer_id,
    rhythm.staff_id,
    rented.moment
from (
    values
    (1000, 1, 1, 7, 10, timestamp '2026-04-08 12:00:00'),
    (1100, 2, 1, 10, 3, timestamp '2026-03-27 12:00:00'),
    (1200, 3, 2, 20, 4, timestamp '2025-10-01 12:00:00'),
    (1300, 5, 2, 3, 2, timestamp '2026-06-05 12:00:00')
) as rhythm (first_id, customer_id, staff_id, days, rentals_count, first_at)
cross join lateral generate_series(1, rhythm.rentals_count) as number
cross join lateral (
    select
        (rhythm.first_at + (number - 1) * rhythm.days * interval '1 day')
        at time zone 'America/New_York' as moment
) as rented;

insert into pagila.payment (
    payment_id, customer_id, staff_id, rental_id, amount, payment_date
)
select
    rental_id + 5000,
    customer_id,
    staff_id,
    rental_id,
    4.99,
    rental_date + interval '2 minutes'
from pagila.rental;

create index on pagila.rental (customer_id);
create index on pagila.payment (customer_id);
