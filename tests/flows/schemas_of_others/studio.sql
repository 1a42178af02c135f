-- Appointments of a studio in Bookly's style: a prefix of two words, appointments with seats for
-- several customers, the status on the seat, time and place on the appointment, and payments
-- that reference only an order, as seats do. One business, timestamps without time zone.
-- Written by us, after the documentation of such applications.
create schema wp;

create type wp.payment_state as enum ('pending', 'completed', 'rejected', 'refunded');

create table wp.wp_bookly_locations (
    id serial primary key,
    name varchar(255) not null default '',
    info text,
    position integer not null default 9999
);

create table wp.wp_bookly_categories (
    id serial primary key,
    name varchar(255) not null,
    position integer not null default 9999
);

create table wp.wp_bookly_staff (
    id serial primary key,
    full_name varchar(255),
    email varchar(255),
    visibility varchar(8) not null default 'public'
);

create table wp.wp_bookly_services (
    id serial primary key,
    category_id integer references wp.wp_bookly_categories on delete set null,
    title varchar(255) not null default '',
    duration integer not null default 900,
    price numeric(10, 2) not null default 0
);

create table wp.wp_bookly_customers (
    id serial primary key,
    wp_user_id bigint,
    full_name varchar(255) not null default '',
    first_name varchar(255) not null default '',
    last_name varchar(255) not null default '',
    phone varchar(255) not null default '',
    email varchar(255) not null default '',
    notes text not null default '',
    created_at timestamp not null
);

create table wp.wp_bookly_orders (id serial primary key, token varchar(255));

create table wp.wp_bookly_series (id serial primary key, repeat varchar(255), token varchar(255));

create table wp.wp_bookly_appointments (
    id serial primary key,
    location_id integer,
    staff_id integer not null references wp.wp_bookly_staff on delete cascade,
    service_id integer references wp.wp_bookly_services on delete set null,
    start_date timestamp,
    end_date timestamp,
    internal_note text,
    created_at timestamp not null,
    updated_at timestamp not null
);

create table wp.wp_bookly_customer_appointments (
    id serial primary key,
    series_id integer references wp.wp_bookly_series on delete cascade,
    customer_id integer not null references wp.wp_bookly_customers on delete cascade,
    appointment_id integer not null references wp.wp_bookly_appointments on delete cascade,
    order_id integer references wp.wp_bookly_orders on delete set null,
    number_of_persons integer not null default 1,
    notes text,
    status varchar(255) not null default 'approved',
    rating integer,
    created_at timestamp not null,
    updated_at timestamp not null
);

create index on wp.wp_bookly_customer_appointments (customer_id);

create index on wp.wp_bookly_customer_appointments (appointment_id);

create index on wp.wp_bookly_customer_appointments (order_id);

create table wp.wp_bookly_payments (
    id serial primary key,
    type varchar(32) not null default 'local',
    total numeric(10, 2) not null default 0,
    tax numeric(10, 2) not null default 0,
    paid numeric(10, 2) not null default 0,
    status wp.payment_state not null default 'completed',
    details text,
    order_id integer,
    created_at timestamp not null,
    updated_at timestamp not null
);

create index on wp.wp_bookly_payments (order_id);

create table wp.wp_bookly_holidays (
    id serial primary key,
    staff_id integer references wp.wp_bookly_staff on delete cascade,
    date date not null,
    repeat_event boolean not null default false
);

create table wp.wp_bookly_log (
    id serial primary key,
    action varchar(16),
    target varchar(255),
    target_id integer,
    created_at timestamp not null
);

insert into wp.wp_bookly_locations (name) values ('Harbour'), ('Hill'), ('');
insert into wp.wp_bookly_categories (name) values ('Hair'), ('Nails');
insert into wp.wp_bookly_staff (full_name, visibility) values
('Ada', 'public'), ('Ben', 'public'), ('Cy', 'private'), (null, 'archive');
insert into wp.wp_bookly_services (category_id, title, duration, price) values
(1, 'Cut', 1800, 40), (1, 'Dye', 5400, 110), (2, 'Nails', 2700, 35), (null, '', 900, 0);
insert into wp.wp_bookly_customers (
    full_name, first_name, last_name, phone, email, created_at
)
select
    case when n % 9 != 0 then 'First' || n || ' Last' || n else '' end,
    'First' || n,
    'Last' || n,
    case when n % 4 != 0 then '+49 30 ' || n else '' end,
    case when n % 5 != 0 then 'Guest' || n || '@Example.org' else '' end,
    timestamp '2024-05-01 10:00' + n * interval '7 days'
from generate_series(1, 70) as n;
insert into wp.wp_bookly_series (repeat) values ('weekly');
insert into wp.wp_bookly_orders (token) select 'o' || n from generate_series(1, 320) as n;
insert into wp.wp_bookly_appointments (
    location_id, staff_id, service_id, start_date, end_date, internal_note, created_at, updated_at
)
select
    case when n % 11 != 0 then 1 + n % 2 end,
    1 + n % 4,
    case when n % 13 != 0 then 1 + n % 3 end,
    -- some have no time yet
    case when n % 47 != 0 then moment end,
    case when n % 47 != 0 then moment + interval '45 minutes' end,
    case when n % 8 = 0 then 'likes tea' end,
    moment - interval '9 days',
    moment - interval '1 day'
from (
    select
        n,
        timestamp '2026-07-05 09:15'
        - (n / 70) * (20 + n % 70 % 12) * interval '1 day'
        - (n % 70 % 9) * (n % 70 % 13) * interval '1 day'
        + (n % 8) * interval '1 hour' as moment
    from generate_series(1, 460) as n
) as numbered;
-- most appointments have one seat, some two, and some none
insert into wp.wp_bookly_customer_appointments (
    customer_id, appointment_id, order_id, number_of_persons, notes, status, created_at, updated_at
)
select
    1 + (n + 17 * seat) % 70,
    n,
    case when n % 6 != 0 then 1 + (n * 3 + seat) % 310 end,
    1 + n % 2,
    case when n % 10 = 0 then 'window seat' end,
    case
        when (n + seat) % 19 = 0 then 'cancelled'
        when (n + seat) % 17 = 0 then 'no-show'
        when (n + seat) % 23 = 0 then 'rejected'
        when (n + seat) % 29 = 0 then 'waitlisted'
        when (n + seat) % 43 = 0 then 'in-chair'
        when (n + seat) % 5 = 0 then 'done'
        when (n + seat) % 31 = 0 then 'pending'
        else 'approved'
    end,
    timestamp '2026-01-01',
    timestamp '2026-06-01'
from generate_series(1, 460) as n
cross join generate_series(0, 1) as seat
where n % 53 != 0 and (seat = 0 or n % 4 = 0);
-- payments, some for orders that no longer exist
insert into wp.wp_bookly_payments (
    type, total, paid, tax, status, order_id, created_at, updated_at
)
select
    case when n % 3 = 0 then 'stripe' else 'local' end,
    40 + n % 90,
    case when n % 14 = 0 then 0 else 40 + n % 90 end,
    7,
    case
        when n % 12 = 0 then 'pending'
        when n % 26 = 0 then 'refunded'
        when n % 33 = 0 then 'rejected'
        else 'completed'
    end::wp.payment_state,
    case when n % 21 != 0 then 1 + n * 7 % 330 end,
    timestamp '2026-06-10 18:20' - (n % 200) * interval '4 days',
    timestamp '2026-06-10 18:20' - (n % 200) * interval '4 days'
from generate_series(1, 260) as n;
insert into wp.wp_bookly_holidays (staff_id, date) values (1, '2026-12-24'), (null, '2026-12-25');
insert into wp.wp_bookly_log (action, target, target_id, created_at)
select 'create', 'appointment', n, '2026-01-01' from generate_series(1, 40) as n;
