-- A wholesaler's ERP in Odoo's style: several companies in one database, customers that all of
-- them share, contacts who order for their company, goods that leave in pickings behind a table
-- of moves (one picking may hold several orders), credit notes behind a link table, archived
-- rows, timestamps without time zone. Written by us, after Odoo's documentation.
create table res_currency (id serial primary key, name varchar not null, active boolean);

create table res_company (
    id serial primary key,
    name varchar not null,
    partner_id integer not null,
    currency_id integer not null references res_currency,
    active boolean,
    create_date timestamp,
    write_date timestamp
);

create table res_partner (
    id serial primary key,
    name varchar,
    email varchar,
    phone varchar,
    tz varchar,
    is_company boolean,
    active boolean,
    parent_id integer references res_partner on delete set null,
    commercial_partner_id integer references res_partner on delete set null,
    company_id integer references res_company on delete set null,
    user_id integer,
    customer_rank integer,
    create_date timestamp,
    write_date timestamp
);

create table res_users (
    id serial primary key,
    login varchar not null unique,
    active boolean,
    partner_id integer not null references res_partner,
    company_id integer not null references res_company,
    create_date timestamp,
    write_date timestamp
);

alter table res_company add foreign key (partner_id) references res_partner;
alter table res_partner add foreign key (user_id) references res_users on delete set null;

create table product_product (
    id serial primary key,
    default_code varchar,
    active boolean
);

create table crm_team (id serial primary key, name varchar not null, active boolean);

create table sale_order (
    id serial primary key,
    name varchar not null,
    state varchar,
    client_order_ref varchar,
    partner_id integer not null references res_partner,
    company_id integer not null references res_company,
    currency_id integer references res_currency,
    user_id integer references res_users on delete set null,
    team_id integer references crm_team on delete set null,
    date_order timestamp not null,
    commitment_date timestamp,
    create_date timestamp,
    write_date timestamp
);

create index on sale_order (partner_id);

create table sale_order_line (
    id serial primary key,
    order_id integer not null references sale_order on delete cascade,
    product_id integer references product_product,
    display_type varchar,
    product_uom_qty numeric not null,
    price_unit numeric not null,
    price_subtotal numeric
);

create index on sale_order_line (order_id);

create table stock_picking_type (
    id serial primary key,
    code varchar not null,
    company_id integer not null references res_company
);

create table stock_picking (
    id serial primary key,
    name varchar,
    state varchar,
    partner_id integer references res_partner,
    picking_type_id integer not null references stock_picking_type,
    scheduled_date timestamp,
    date_done timestamp,
    create_date timestamp,
    write_date timestamp
);

create table stock_move (
    id serial primary key,
    picking_id integer references stock_picking,
    sale_line_id integer references sale_order_line on delete set null,
    product_id integer references product_product,
    state varchar,
    product_uom_qty numeric not null,
    date timestamp not null
);

create index on stock_move (sale_line_id);

create index on stock_move (picking_id);

create table account_move (
    id serial primary key,
    name varchar,
    move_type varchar not null,
    state varchar not null,
    partner_id integer references res_partner,
    company_id integer references res_company,
    invoice_date date,
    amount_total numeric
);

create table account_move_line (
    id serial primary key,
    move_id integer not null references account_move on delete cascade,
    product_id integer references product_product,
    price_subtotal numeric
);

create table sale_order_line_invoice_rel (
    invoice_line_id integer not null references account_move_line on delete cascade,
    order_line_id integer not null references sale_order_line on delete cascade,
    primary key (invoice_line_id, order_line_id)
);

create index on sale_order_line_invoice_rel (order_line_id);

create table mail_message (
    id serial primary key,
    model varchar,
    res_id integer,
    body text,
    date timestamp
);

insert into res_currency (name, active) values ('EUR', true), ('USD', true), ('GBP', false);
insert into crm_team (name, active) values ('Field', true), ('Web', false);
insert into product_product (default_code, active)
select 'P' || n, n % 9 != 0 from generate_series(1, 20) as n;
-- the companies' own addresses, and those of the people who work there
insert into res_partner (id, name, email, tz, active, customer_rank, create_date, write_date)
select
    n,
    'Own ' || n,
    'own' || n || '@example.org',
    case n when 1 then 'Europe/Berlin' when 2 then 'America/New_York' end,
    true,
    0,
    '2023-01-01',
    '2023-01-01'
from generate_series(1, 12) as n;
update res_partner set commercial_partner_id = id;
insert into res_company (name, partner_id, currency_id, active, create_date, write_date) values
('Nord Handel', 1, 1, true, '2023-01-01', '2023-01-01'),
('South Trade', 2, 2, true, '2023-01-01', '2023-01-01'),
('Old Trade', 3, 1, false, '2023-01-01', '2023-01-01');
insert into res_users (login, active, partner_id, company_id, create_date, write_date)
select 'rep' || n, n != 4, 3 + n, 1 + n % 3, '2023-01-01', '2023-01-01'
from generate_series(1, 9) as n;
-- customers: every fourth one is shared by all companies, some are archived
insert into res_partner (
    id, name, email, is_company, active, commercial_partner_id, company_id, user_id,
    customer_rank, create_date, write_date
)
select
    100 + n,
    'Customer ' || n,
    'Buyer' || n || '@Example.org',
    true,
    n % 11 != 0,
    100 + n,
    case when n % 4 != 0 then 1 + n % 2 end,
    case when n % 5 != 0 then 1 + n % 9 end,
    case when n % 13 != 0 then 1 else 0 end,
    timestamp '2023-06-01' + n * interval '5 days',
    timestamp '2023-06-01' + n * interval '5 days'
from generate_series(1, 60) as n;
-- contacts who order for them, and one who belongs to nobody
insert into res_partner (
    id, name, email, is_company, active, parent_id, commercial_partner_id, company_id,
    customer_rank, create_date, write_date
)
select
    200 + n, 'Contact ' || n, null, false, true, parent.id, parent.id, parent.company_id, 0,
    parent.create_date, parent.write_date
from generate_series(1, 40) as n
inner join res_partner as parent on parent.id = 101 + (n * 7) % 60;
insert into res_partner (id, active, customer_rank, create_date)
values (301, null, null, '2025-01-01');
-- orders of each customer every ten to twenty-four days, some by a contact
insert into sale_order (
    id, name, state, partner_id, company_id, currency_id, user_id, date_order, create_date,
    write_date
)
select
    numbered.n,
    'S' || lpad(numbered.n::text, 5, '0'),
    case
        when numbered.n % 23 = 0 then 'cancel'
        when numbered.n % 29 = 0 then 'draft'
        when numbered.n % 31 = 0 then 'sent'
        when numbered.n % 41 = 0 then 'on_hold'
        else 'sale'
    end,
    case
        when numbered.n % 97 = 0 then 301
        else coalesce(
            (
                select min(contact.id) from res_partner as contact
                where contact.parent_id = customer.id and numbered.n % 3 = 0
            ),
            customer.id
        )
    end,
    case
        -- a company that the customer does not belong to
        when numbered.n % 37 = 0 then 3
        else coalesce(customer.company_id, 1 + numbered.n / 60 % 2)
    end,
    case when numbered.n % 7 != 0 then 1 + numbered.n % 2 end,
    customer.user_id,
    timestamp '2026-06-13 07:30'
    - (numbered.n / 60) * (10 + customer.id % 15) * interval '1 day'
    - (customer.id % 8) * (customer.id % 17) * interval '1 day',
    '2026-01-01',
    '2026-06-01'
from generate_series(1, 480) as numbered (n)
inner join res_partner as customer on customer.id = 101 + numbered.n % 60;
insert into sale_order_line (
    id, order_id, product_id, display_type, product_uom_qty, price_unit, price_subtotal
)
select
    2 * n - 1, n, 1 + n % 20, null, 1 + n % 5, 19.9, (1 + n % 5) * 19.9
from generate_series(1, 480) as n
union all
select
    2 * n,
    n,
    case when n % 9 != 0 then 1 + n % 7 end,
    case when n % 9 = 0 then 'line_note' end,
    case when n % 9 = 0 then 0 else 2 end,
    7,
    case when n % 9 = 0 then 0 when n % 19 != 0 then 14 end
from generate_series(1, 480) as n;
insert into stock_picking_type (code, company_id)
values ('outgoing', 1), ('outgoing', 2), ('outgoing', 3), ('incoming', 1), ('internal', 1);
-- one picking per order; a second one for a partial delivery; returned goods
insert into stock_picking (
    id, name, state, partner_id, picking_type_id, scheduled_date, date_done, create_date,
    write_date
)
select
    part * 1000 + id,
    'OUT/' || part || '/' || id,
    case
        when (id + 3 * part) % 17 = 0 then 'assigned'
        when part = 1 and id % 12 = 0 then 'cancel'
        else 'done'
    end,
    partner_id,
    case part when 2 then 4 else company_id end,
    date_order + interval '1 day',
    case
        when (id + 3 * part) % 17 != 0 and (part != 1 or id % 12 != 0)
            then date_order + (1 + id % 4 + part) * interval '1 day'
    end,
    date_order,
    date_order + interval '6 days'
from sale_order
cross join generate_series(0, 2) as part
where
    state = 'sale'
    and (part = 0 or part = 1 and id % 6 = 0 or part = 2 and id % 14 = 0);
insert into stock_move (
    id, picking_id, sale_line_id, product_id, state, product_uom_qty, date
)
select
    line.id,
    picking.id,
    line.id,
    line.product_id,
    picking.state,
    line.product_uom_qty,
    picking.scheduled_date
from sale_order_line as line
inner join stock_picking as picking
    on
        picking.id = case
            when line.id % 2 = 0 and line.order_id % 6 = 0 then 1000 + line.order_id
            -- a picking that holds the orders of two customers
            when line.order_id % 10 = 5
                and exists (select from stock_picking where id = line.order_id - 1)
                then line.order_id - 1
            else line.order_id
        end
where line.display_type is null;
insert into stock_move (
    id, picking_id, sale_line_id, state, product_uom_qty, date
)
select
    id,
    id,
    case when id % 28 = 0 then 2 * (id - 2000) - 1 end,
    state,
    1,
    scheduled_date
from stock_picking
where id > 2000;
insert into stock_move (id, state, product_uom_qty, date)
values (9001, 'done', 5, '2026-05-01'), (9002, 'draft', 1, '2026-05-02');
-- invoices, and credit notes that reduce the worth of an order
insert into account_move (
    id, name, move_type, state, partner_id, company_id, invoice_date, amount_total
)
select
    id,
    'INV/' || id,
    case when id % 3 = 0 then 'out_refund' else 'out_invoice' end,
    case when id % 10 = 0 then 'draft' when id % 21 = 0 then 'cancel' else 'posted' end,
    partner_id,
    company_id,
    date_order::date + 7,
    10
from sale_order
where id % 2 = 1;
insert into account_move_line (id, move_id, price_subtotal)
select id, id, case when id % 3 = 0 then 5 + id % 4 else 33.9 end from account_move;
insert into sale_order_line_invoice_rel (invoice_line_id, order_line_id)
select id, 2 * id - 1 from account_move_line where id % 15 != 0;
insert into mail_message (model, res_id, body, date)
select 'sale.order', n, 'Your order', '2026-01-01' from generate_series(1, 50) as n;
select
    setval('res_partner_id_seq', 400), setval('sale_order_id_seq', 1000),
    setval('sale_order_line_id_seq', 2000), setval('stock_picking_id_seq', 5000),
    setval('stock_move_id_seq', 10000), setval('account_move_id_seq', 1000),
    setval('account_move_line_id_seq', 1000);
