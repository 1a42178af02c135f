-- A normalized shop in Rails' style: a prefix on every table, states as words, money in cents,
-- soft deletes, parcels behind a link table, and a customer whose name and business are one and
-- two keys away. Written by us, after the documentation of such shops.
create schema shop;

create table shop.spree_stores (
    id bigserial primary key,
    name varchar(255) not null,
    code varchar(255) not null,
    timezone varchar(64) not null default 'Europe/Berlin',
    created_at timestamp(6) not null default now(),
    updated_at timestamp(6) not null default now()
);

create table shop.spree_users (
    id bigserial primary key,
    email varchar(255) not null,
    first_name varchar(255),
    last_name varchar(255),
    store_id bigint references shop.spree_stores,
    deleted_at timestamp(6),
    created_at timestamp(6) not null default now(),
    updated_at timestamp(6) not null default now()
);

create table shop.spree_orders (
    id bigserial primary key,
    number varchar(32) not null unique,
    state varchar(255),
    user_id bigint references shop.spree_users,
    currency varchar(3),
    completed_at timestamp(6),
    canceled_at timestamp(6),
    created_at timestamp(6) not null default now(),
    updated_at timestamp(6) not null default now()
);

create table shop.spree_line_items (
    id bigserial primary key,
    order_id bigint references shop.spree_orders,
    quantity integer not null,
    price_cents integer not null
);

create table shop.spree_parcels (
    id bigserial primary key,
    tracking varchar(255),
    shipped_at timestamp(6),
    delivered_at timestamp(6)
);

create table shop.spree_order_parcels (
    order_id bigint not null references shop.spree_orders,
    parcel_id bigint not null references shop.spree_parcels,
    primary key (order_id, parcel_id)
);

insert into shop.spree_stores (name, code) values ('Lead Store', 'lead');
insert into shop.spree_users (email, first_name, last_name, store_id, deleted_at)
values
('eva@example.org', 'Eva', 'Lang', 1, null),
('fil@example.org', 'Fil', 'Mann', 1, null),
('gone@example.org', 'Gone', 'Away', 1, '2026-05-01 00:00');
insert into shop.spree_orders (
    number, state, user_id, currency, completed_at, created_at, updated_at
)
select
    'R' || number,
    case
        when number % 9 = 8 then 'canceled'
        when number % 9 = 7 then 'in_limbo'
        when number % 9 = 6 then 'cart'
        else 'complete'
    end,
    1 + number % 3,
    'EUR',
    timestamp '2026-03-01 09:00' + number * interval '4 days',
    timestamp '2026-03-01 08:00' + number * interval '4 days',
    timestamp '2026-03-01 09:00' + number * interval '4 days'
from generate_series(0, 25) as number;
insert into shop.spree_line_items (order_id, quantity, price_cents)
select id, 2, 1250 from shop.spree_orders
union all
select id, 1, 499 from shop.spree_orders;
insert into shop.spree_parcels (id, tracking, shipped_at, delivered_at)
select
    id,
    'T' || id,
    completed_at + interval '1 day',
    case when id < 24 then completed_at + interval '2 days' end
from shop.spree_orders
where state = 'complete';
insert into shop.spree_order_parcels (order_id, parcel_id)
select id, id from shop.spree_orders where state = 'complete';
