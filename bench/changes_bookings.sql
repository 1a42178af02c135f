-- What an application changes in an hour for some customers who book, across the
-- tenants. Of ten customers, eight get a new booking, one has an old booking edited,
-- and one has its latest booking deleted. Each round has other customers.
create temp table chosen_guests as
select
    organization_id,
    square_customer_id,
    mod(row_number() over (order by turn, drawn), 10) as kind
from (
    select
        organization_id,
        square_customer_id,
        drawn,
        row_number() over (partition by organization_id order by drawn) as turn
    from (
        select
            organization_id,
            square_customer_id,
            md5(square_customer_id || %(round)s::text) as drawn
        from booking.customers
    ) as customers
) as turns
order by turn, drawn
limit %(changed)s;

insert into booking.bookings
select
    organization_id, md5(square_customer_id || %(round)s::text), square_customer_id,
    'L1', 'T1', 'S1', 'ACCEPTED',
    %(until)s::timestamptz - interval '2 hours', 'rang before', null, %(until)s, %(written)s
from chosen_guests
where kind > 1;

update booking.bookings
set status = 'NO_SHOW', updated_at = %(written)s
where (organization_id, booking_id) in (
    select chosen.organization_id, old.booking_id
    from chosen_guests as chosen
    cross join lateral (
        select booking_id from booking.bookings
        where
            organization_id = chosen.organization_id
            and square_customer_id = chosen.square_customer_id
        order by start_at
        limit 1
    ) as old
    where kind = 1
);

delete from booking.bookings
where (organization_id, booking_id) in (
    select chosen.organization_id, latest.booking_id
    from chosen_guests as chosen
    cross join lateral (
        select booking_id from booking.bookings
        where
            organization_id = chosen.organization_id
            and square_customer_id = chosen.square_customer_id
        order by start_at desc
        limit 1
    ) as latest
    where kind = 0
);

drop table chosen_guests
