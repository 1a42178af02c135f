-- Demo data of the bookings system: visits, no-shows, refunds, notes, and odd rows.

-- an organization per tenant, and one more that has just signed up
insert into booking.organizations (id, slug, name, time_zone, created_at, updated_at)
select
    pg_temp.id('organization', number::text),
    names.slug || case when number > 8 then '-' || number::text else '' end,
    initcap(replace(names.slug, '-', ' ')),
    (array['Europe/London', 'America/Los_Angeles', 'Pacific/Auckland'])[
        (number - 1) % 3 + 1
    ],
    demo.until_day - make_interval(days => demo.days),
    demo.until_day - make_interval(days => demo.days)
from demo
cross join lateral generate_series(1, demo.tenants + 1) as number
cross join lateral (
    select (array[
        'glow-salon', 'sunset-spa', 'kowhai-barbers', 'north-dairy',
        'corner-cuts', 'moon-massage', 'river-yoga', 'oak-physio'
    ])[(number - 1) % 8 + 1] as slug
) as names;

-- four locations each; the last one is in another time zone, some have none
insert into booking.locations (organization_id, id, name, time_zone, updated_at)
select
    organizations.id,
    'L' || number::text,
    (array['Market Square', 'Station', 'Old Town', 'Airport'])[number],
    case number when 4 then 'Asia/Kathmandu' when 1 then organizations.time_zone end,
    organizations.updated_at
from booking.organizations
cross join generate_series(1, 4) as number;

create temp table demo_guests on commit drop as
with drawn as (
    select
        number,
        1 + floor(demo.tenants * pg_temp.chance(number, 'organization') ^ 1.5)::integer
            as organization,
        pg_temp.chance(number, 'guest kind') as kind_drawn,
        10 + floor(28 * pg_temp.chance(number, 'guest gap'))::integer as gap,
        pg_temp.chance(number, 'guest first') as first_drawn,
        pg_temp.chance(number, 'guest last') as last_drawn,
        3000
        + floor(9000 * pg_temp.chance(number, 'guest size'))::bigint as usual_cents,
        demo.days
    from demo
    cross join lateral generate_series(1, demo.customers) as number
),

kinds as (
    select
        *,
        case
            when kind_drawn < 0.05 then 'never came'
            when kind_drawn < 0.12 then 'came once'
            when kind_drawn < 0.18 then 'new'
            when kind_drawn < 0.21 then 'booked ahead only'
            when kind_drawn < 0.27 then 'unreliable'
            when kind_drawn < 0.40 then 'at risk'
            when kind_drawn < 0.58 then 'lost'
            else 'regular'
        end as kind
    from drawn
)

select
    *,
    case kind
        when 'came once' then floor(first_drawn * days)::integer
        when 'booked ahead only' then -14
        when 'at risk' then 32 + floor(55 * last_drawn)::integer
        when 'lost' then 95 + floor(400 * last_drawn)::integer
        -- some have booked their next visit
        else floor(gap * (last_drawn - 0.3))::integer
    end as last_day,
    case kind
        when 'never came' then -1
        when 'came once' then 0
        when 'booked ahead only' then 0
        when 'new' then 0
        else greatest(2, floor(days * (0.3 + 0.7 * first_drawn) / gap)::integer)
    end as bookings_after_first
from kinds;

-- one in fifty books without a profile
insert into booking.customers (
    organization_id, square_customer_id, given_name, family_name, email_address,
    phone_number, acquisition_source, created_at, updated_at
)
select
    pg_temp.id('organization', drawn.organization::text),
    'C' || drawn.number::text,
    case
        when pg_temp.chance(drawn.number, 'name') < 0.95
            then (array['Ada', 'Bo', 'Cleo', 'Dov', 'Eve', 'Finn', 'Gia'])[
                1 + drawn.number / 2 % 7
            ]
    end,
    case
        when pg_temp.chance(drawn.number, 'name') < 0.9
            then
                (
                    array[
                        'Ash', 'Birch', 'Cedar', 'Dale', 'Elm', 'Fern', 'Grove', 'Hill'
                    ]
                )[
                    1 + drawn.number / 14 % 8
                ]
    end,
    case
        when pg_temp.chance(drawn.number, 'email') < 0.8
            then ' Guest' || drawn.number::text || '@Mail.example'
    end,
    case
        when pg_temp.chance(drawn.number, 'phone') < 0.7
            then '+1 555 ' || drawn.number::text
    end,
    (array['WALK_IN', 'INSTAGRAM', 'REFERRAL', null])[1 + drawn.number % 4],
    demo.until_day - make_interval(
        days => drawn.last_day + drawn.gap * greatest(drawn.bookings_after_first, 0)
        + floor(40 * pg_temp.chance(drawn.number, 'profile'))::integer
    ),
    demo.until_day
from demo_guests as drawn
cross join demo
where pg_temp.chance(drawn.number, 'no profile') >= 0.02;

create temp table demo_bookings on commit drop as
with drawn as (
    select
        guests.number,
        guests.organization,
        guests.kind,
        guests.usual_cents,
        guests.number::bigint * 4096 + place as key,
        demo.until_at,
        demo.until_day
        - make_interval(
            days => guests.last_day + guests.gap * (guests.bookings_after_first - place)
            + case
                when place < guests.bookings_after_first
                    then floor(
                        guests.gap * 0.6
                        * (
                            pg_temp.chance(
                                guests.number * 4096::bigint + place, 'visit'
                            )
                            - 0.5
                        )
                    )::integer
                else 0
            end
        )
        + interval '15 minutes'
        * floor(96 * pg_temp.chance(guests.number * 4096::bigint + place, 'time'))
            as start_at
    from demo_guests as guests
    cross join demo
    cross join lateral generate_series(0, guests.bookings_after_first) as place
)

select
    *,
    case
        when start_at > until_at
            then
                case
                    when pg_temp.chance(key, 'answer') < 0.2 then 'PENDING' else
                        'ACCEPTED'
                end
        when
            pg_temp.chance(key, 'outcome')
            < case kind when 'unreliable' then 0.3 else 0.03 end
            then 'NO_SHOW'
        when pg_temp.chance(key, 'outcome') >= 0.93 then 'CANCELLED_BY_CUSTOMER'
        when pg_temp.chance(key, 'outcome') >= 0.91 then 'CANCELLED_BY_SELLER'
        when pg_temp.chance(key, 'outcome') >= 0.90 then 'DECLINED'
        else 'ACCEPTED'
    end as status
from drawn;

insert into booking.bookings (
    organization_id, booking_id, square_customer_id, location_id, team_member_id,
    service_id, status, start_at, customer_note, seller_note, created_at, updated_at
)
select
    pg_temp.id('organization', drawn.organization::text),
    'B' || drawn.key::text,
    -- one in thirty walks in
    case
        when pg_temp.chance(drawn.key, 'walk in') >= 0.03 then 'C' || drawn.number::text
    end,
    case
        -- a location that has been deleted
        when pg_temp.chance(drawn.key, 'location') < 0.002 then 'L9'
        when
            pg_temp.chance(drawn.key, 'location') < 0.8
            then concat('L', 1 + drawn.number % 4)
        else concat('L', 1 + drawn.key % 4)
    end,
    case
        when pg_temp.chance(drawn.key, 'team') < 0.7 then concat('T', drawn.number % 6)
        when pg_temp.chance(drawn.key, 'team') < 0.95 then concat('T', drawn.key % 6)
    end,
    concat('S', floor(5 * pg_temp.chance(drawn.key, 'service') ^ 2)),
    drawn.status,
    drawn.start_at,
    case when pg_temp.chance(drawn.key, 'note') < 0.04 then 'Please call before' end,
    case when pg_temp.chance(drawn.key, 'remark') < 0.03 then 'Prefers the window' end,
    least(drawn.start_at, drawn.until_at)
    - interval '1 hour' * floor(240 * pg_temp.chance(drawn.key, 'ahead')),
    least(drawn.start_at, drawn.until_at)
from demo_bookings as drawn
order by drawn.start_at;

insert into booking.payments (
    organization_id, payment_id, square_customer_id, location_id, booking_id, status,
    amount_cents, tip_cents, refunded_cents, currency, created_at, updated_at
)
select
    pg_temp.id('organization', drawn.organization::text),
    'P' || drawn.key::text,
    case
        when pg_temp.chance(drawn.key, 'walk in') >= 0.03 then 'C' || drawn.number::text
    end,
    concat('L', 1 + drawn.number % 4),
    'B' || drawn.key::text,
    case
        when pg_temp.chance(drawn.key, 'paid') < 0.96 then 'COMPLETED'
        when pg_temp.chance(drawn.key, 'paid') < 0.97 then 'FAILED'
        when pg_temp.chance(drawn.key, 'paid') < 0.98 then 'CANCELED'
        when pg_temp.chance(drawn.key, 'paid') < 0.99 then 'PENDING'
        else 'APPROVED'
    end,
    paid.amount_cents,
    case
        when pg_temp.chance(drawn.key, 'tip') < 0.5
            then
                floor(
                    paid.amount_cents * 0.3 * pg_temp.chance(drawn.key, 'tip')
                )::bigint
        else 0
    end,
    case
        when pg_temp.chance(drawn.key, 'refund') < 0.01 then paid.amount_cents / 2
        -- more than was paid: including the tip, or by mistake
        when pg_temp.chance(drawn.key, 'refund') < 0.015 then paid.amount_cents + 500
        else 0
    end,
    'USD',
    drawn.start_at + interval '1 hour',
    drawn.start_at + interval '1 hour'
from demo_bookings as drawn
cross join
    lateral (
        select
            floor(
                drawn.usual_cents * (0.7 + 0.6 * pg_temp.chance(drawn.key, 'price'))
            )::bigint as amount_cents
    ) as paid
where
    drawn.status = 'ACCEPTED'
    and drawn.start_at + interval '1 hour' <= drawn.until_at
    and pg_temp.chance(drawn.key, 'pays') < 0.95
order by drawn.start_at;

insert into booking.referral_profiles (
    organization_id, square_customer_id, is_activated, activated_at, referral_source,
    referral_count, reward_cents, updated_at
)
select
    pg_temp.id('organization', drawn.organization::text),
    'C' || drawn.number::text,
    referrals.referral_count > 0,
    case
        when referrals.referral_count > 0
            then demo.until_day - make_interval(
                days => 1
                + floor(300 * pg_temp.chance(drawn.number, 'activated'))::integer
            )
    end,
    (array['FRIEND', 'FLYER', null])[1 + drawn.number % 3],
    referrals.referral_count,
    referrals.referral_count * 1000,
    demo.until_day
from demo_guests as drawn
cross join demo
cross join
    lateral (
        select
            floor(4 * pg_temp.chance(drawn.number, 'referrals'))::integer
                as referral_count
    ) as referrals
where pg_temp.chance(drawn.number, 'referrer') < 0.1;

analyze booking.organizations, booking.locations, booking.customers, booking.bookings,
booking.payments, booking.referral_profiles;
