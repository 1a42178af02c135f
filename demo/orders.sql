-- Demo data of the orders system: every status, every transition, and dirty rows.

-- the tenants, in three time zones, and one more that has just signed up
insert into commerce.tenants (id, slug, name, time_zone, created_at, updated_at)
select
    pg_temp.id('tenant', number::text),
    names.slug || case when number > 8 then '-' || number::text else '' end,
    initcap(replace(names.slug, '-', ' ')),
    (array['America/Los_Angeles', 'Europe/London', 'Pacific/Auckland'])[
        (number - 1) % 3 + 1
    ],
    demo.until_day - make_interval(days => demo.days),
    demo.until_day - make_interval(days => demo.days)
from demo
cross join lateral generate_series(1, demo.tenants + 1) as number
cross join lateral (
    select (array[
        'harbor-foods', 'north-dairy', 'kiwi-produce', 'sunset-bakery',
        'thames-spirits', 'southern-wool', 'redwood-supply', 'moor-hardware'
    ])[(number - 1) % 8 + 1] as slug
) as names;

-- the kind of each customer; columns count days before today
create temp table demo_customers on commit drop as
with drawn as (
    select
        number,
        -- a few tenants have most of the customers
        1
        + floor(demo.tenants * pg_temp.chance(number, 'tenant') ^ 1.5)::integer
            as tenant,
        pg_temp.chance(number, 'kind') as kind_drawn,
        10 + floor(50 * pg_temp.chance(number, 'gap'))::integer as gap,
        pg_temp.chance(number, 'first') as first_drawn,
        pg_temp.chance(number, 'last') as last_drawn,
        round((40 * exp(3 * pg_temp.chance(number, 'size')))::numeric, 2)
            as usual_total,
        demo.days
    from demo
    cross join lateral generate_series(1, demo.customers) as number
),

kinds as (
    select
        *,
        case
            when kind_drawn < 0.06 then 'never ordered'
            when kind_drawn < 0.12 then 'ordered once'
            when kind_drawn < 0.17 then 'new'
            when kind_drawn < 0.25 then 'shrinking'
            when kind_drawn < 0.33 then 'came back'
            when kind_drawn < 0.45 then 'late'
            when kind_drawn < 0.55 then 'dormant'
            when kind_drawn < 0.61 then 'lapsed'
            when kind_drawn < 0.66 then 'gone'
            else 'steady'
        end as kind
    from drawn
)

select
    *,
    case kind
        when 'ordered once' then 1 + floor(first_drawn * days)::integer
        when 'late' then gap + 3 + floor(42 * last_drawn)::integer
        when 'dormant' then gap + 50 + floor(80 * last_drawn)::integer
        when 'lapsed' then 185 + floor(175 * last_drawn)::integer
        when 'gone' then 370 + floor(300 * last_drawn)::integer
        else floor(gap * last_drawn)::integer
    end as last_day,
    case kind
        when 'never ordered' then -1
        when 'ordered once' then 0
        when 'new' then 1 + floor(2 * first_drawn)::integer
        else greatest(3, floor(days * (0.3 + 0.7 * first_drawn) / gap)::integer)
    end as orders_after_first
from kinds;

insert into commerce.sales_reps (id, tenant_id, name, email, is_active, updated_at)
select
    pg_temp.id('rep', tenants.id::text || ':' || number::text),
    tenants.id,
    (array['Ana', 'Ben', 'Chen', 'Dana', 'Eli'])[number]
    || ' ' || (array['Abbot', 'Brown', 'Costa', 'Dietz', 'Evans'])[
        1 + floor(5 * pg_temp.chance(number, tenants.slug))::integer
    ],
    'rep' || number::text || '@' || tenants.slug || '.example',
    number < 5,
    tenants.updated_at
from commerce.tenants
cross join generate_series(1, 5) as number;

insert into commerce.customers (
    id, tenant_id, sales_rep_id, name, email, is_closed, created_at, updated_at,
    account_type
)
select
    pg_temp.id('customer', drawn.number::text),
    tenants.id,
    -- one in ten has no sales rep
    case
        when pg_temp.chance(drawn.number, 'rep') < 0.9 then pg_temp.id(
            'rep',
            concat(
                tenants.id, ':', 1 + floor(4.99 * pg_temp.chance(drawn.number, 'who'))
            )
        )
    end,
    -- the same names in several tenants
    (array['Corner', 'Golden', 'Little', 'Old', 'Royal', 'Sunny', 'Twin', 'Upper'])[
        1 + drawn.number / 2 % 8
    ]
    || ' '
    || (array['Cafe', 'Grill', 'Kitchen', 'Market', 'Pantry', 'Stores', 'Table'])[
        1 + drawn.number / 16 % 7
    ] || case when drawn.number >= 112 then concat(' ', drawn.number / 112) else '' end,
    'orders@customer' || drawn.number::text || '.example',
    pg_temp.chance(drawn.number, 'closed') < 0.02,
    demo.until_day - make_interval(
        days => drawn.last_day + drawn.gap * greatest(drawn.orders_after_first, 0) + 7
    ),
    demo.until_day,
    -- set by hand; must not be overwritten
    case when pg_temp.chance(drawn.number, 'hold') < 0.005 then 'HOLD' end
from demo_customers as drawn
cross join demo
inner join commerce.tenants
    on tenants.id = pg_temp.id('tenant', drawn.tenant::text);

create temp table demo_orders on commit drop as
with drawn as (
    select
        customers.number,
        customers.tenant,
        customers.kind,
        customers.gap,
        customers.orders_after_first - place as orders_later,
        customers.last_day,
        customers.usual_total,
        customers.number::bigint * 4096 + place as key
    from demo_customers as customers
    cross join lateral generate_series(0, customers.orders_after_first) as place
),

dated as (
    select
        drawn.*,
        demo.until_at,
        -- the last order on its day, the earlier ones about a gap apart, in opening
        -- hours
        demo.until_day
        - make_interval(
            days => drawn.last_day + drawn.gap * drawn.orders_later
            + case
                when drawn.orders_later > 0
                    then
                        floor(
                            drawn.gap * 0.6 * (pg_temp.chance(drawn.key, 'day') - 0.5)
                        )
                        ::integer
                else 0
            end
        )
        + interval '8 hours'
        + interval '1 second' * floor(43200 * pg_temp.chance(drawn.key, 'hour'))
            as ordered_at,
        interval '1 hour' * (20 + floor(50 * pg_temp.chance(drawn.key, 'delivery')))
            as delivery_time
    from drawn
    cross join demo
    where
        -- a returning customer had stopped for a while
        drawn.kind != 'came back'
        or drawn.orders_later not between 2 and 2 + 150 / drawn.gap
)

select
    *,
    case
        when pg_temp.chance(key, 'status') < 0.04 then 'CANCELLED'
        when pg_temp.chance(key, 'status') < 0.05 then 'DRAFT'
        when pg_temp.chance(key, 'status') < 0.06 then 'CONFIRMED'
        when ordered_at + delivery_time <= until_at then 'DELIVERED'
        -- in transit, some with a delivery date already recorded
        when pg_temp.chance(key, 'status') < 0.5 then 'SHIPPED'
        else 'SUBMITTED'
    end as status,
    case
        when pg_temp.chance(key, 'total') < 0.005 then 0
        when pg_temp.chance(key, 'total') < 0.01 then -usual_total
        when pg_temp.chance(key, 'total') >= 0.013
            then round(
                usual_total
                * (0.8 + 0.4 * pg_temp.chance(key, 'amount'))::numeric
                * case when kind = 'shrinking' and orders_later < 3 then 0.6 else 1 end,
                2
            )
    end as total_amount,
    case
        -- some pay now in one currency, now in another
        when pg_temp.chance(number, 'currency') < 0.02 and key % 2 = 0 then 'EUR'
        else (array['USD', 'GBP', 'NZD'])[(tenant - 1) % 3 + 1]
    end as currency
from dated
where ordered_at <= until_at;

insert into commerce.orders (
    id,
    tenant_id,
    customer_id,
    status,
    ordered_at,
    delivered_at,
    total_amount,
    currency,
    created_at, updated_at
)
select
    pg_temp.id('order', drawn.key::text || ':' || copy_number::text),
    pg_temp.id('tenant', drawn.tenant::text),
    -- one in a hundred was sold over the counter
    case
        when pg_temp.chance(drawn.key, 'counter') >= 0.01
            then pg_temp.id('customer', drawn.number::text)
    end,
    drawn.status,
    drawn.ordered_at,
    case
        when drawn.status in ('DELIVERED', 'SHIPPED')
            then drawn.ordered_at + drawn.delivery_time
    end,
    drawn.total_amount,
    drawn.currency,
    drawn.ordered_at,
    least(drawn.ordered_at + drawn.delivery_time, drawn.until_at)
from demo_orders as drawn
-- one in fifty orders twice on the same day
cross join
    lateral generate_series(
        1, case when pg_temp.chance(drawn.key, 'twice') < 0.02 then 2 else 1 end
    ) as copy_number
order by drawn.ordered_at;

-- rows that no rule can use
update commerce.orders
set ordered_at = timestamptz '0001-01-01 00:00:00+00'
where
    id in (
        select pg_temp.id('order', key::text || ':1') from demo_orders
        where pg_temp.chance(key, 'year one') < 0.0002
    );
update commerce.orders
set delivered_at = 'infinity'
where
    id in (
        select pg_temp.id('order', key::text || ':1') from demo_orders
        where pg_temp.chance(key, 'never delivered') < 0.0002
    );
update commerce.orders
set tenant_id = pg_temp.id('tenant', '1')
where
    id in (
        select pg_temp.id('order', key::text || ':1') from demo_orders
        where pg_temp.chance(key, 'wrong tenant') < 0.0002
    );

analyze commerce.tenants, commerce.sales_reps, commerce.customers, commerce.orders;
