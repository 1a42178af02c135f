-- A booking application in Prisma's style: quoted camelCase, enums, timestamps without time
-- zone, and people who are known only by the e-mail address of an attendee. Written by us,
-- after the documentation of such applications.
create schema salon;
create type salon."BookingStatus" as enum (
    'cancelled', 'accepted', 'rejected', 'pending', 'awaiting_host', 'no_show'
);

create table salon."Team" (
    id serial primary key,
    name text not null,
    slug text unique,
    "timeZone" text not null default 'Europe/London',
    "createdAt" timestamp(3) not null default current_timestamp
);

create table salon."User" (
    id serial primary key,
    email text not null unique,
    name text,
    "teamId" integer references salon."Team",
    "emailVerified" timestamp(3),
    "createdDate" timestamp(3) not null default current_timestamp
);

create table salon."EventType" (
    id serial primary key,
    title text not null,
    length integer not null,
    price integer not null default 0,
    "teamId" integer references salon."Team"
);

create table salon."Booking" (
    id serial primary key,
    uid text not null unique,
    "userId" integer references salon."User",
    "eventTypeId" integer references salon."EventType",
    title text not null,
    description text,
    "startTime" timestamp(3) not null,
    "endTime" timestamp(3) not null,
    status salon."BookingStatus" not null default 'accepted',
    "createdAt" timestamp(3) not null default current_timestamp,
    "updatedAt" timestamp(3)
);

create table salon."Attendee" (
    id serial primary key,
    email text not null,
    name text not null,
    "timeZone" text not null,
    "phoneNumber" text,
    "bookingId" integer references salon."Booking"
);

create table salon."Payment" (
    id serial primary key,
    "bookingId" integer not null references salon."Booking",
    amount integer not null,
    success boolean not null,
    refunded boolean not null,
    "createdAt" timestamp(3) not null default current_timestamp
);

insert into salon."Team" (name, slug) values ('North', 'north'), ('South', 'south');
insert into salon."User" (email, name, "teamId")
values ('ada@example.org', 'Ada', 1), ('ben@example.org', 'Ben', 2);
insert into salon."EventType" (title, length, "teamId") values ('Cut', 30, 1), ('Dye', 90, 2);
insert into salon."Booking" (
    uid, "userId", "eventTypeId", title, "startTime", "endTime", status, "createdAt", "updatedAt"
)
select
    'b' || number,
    1 + number % 2,
    1 + number % 2,
    'Visit',
    timestamp '2026-01-05 10:00' + number * interval '7 days',
    timestamp '2026-01-05 10:30' + number * interval '7 days',
    case
        when number % 7 = 6 then 'cancelled'
        when number % 5 = 4 then 'no_show'
        else 'accepted'
    end::salon."BookingStatus",
    timestamp '2026-01-01 10:00',
    timestamp '2026-01-05 11:00' + number * interval '7 days'
from generate_series(0, 20) as number;
insert into salon."Attendee" (email, name, "timeZone", "bookingId")
select
    case when id % 3 = 0 then 'Cleo@Example.org' else 'dan@example.org' end,
    case when id % 3 = 0 then 'Cleo' else 'Dan' end,
    'Europe/London',
    id
from salon."Booking";
insert into salon."Payment" ("bookingId", amount, success, refunded, "createdAt")
select id, 4500, true, false, "startTime" from salon."Booking" where status = 'accepted';
