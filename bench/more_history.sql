-- Five times the history of each customer: four earlier copies of what it did. Triggers
-- are off, because all marts are filled again afterward.
set session_replication_role = replica;

create temp table earlier as
select
    copy_number,
    copy_number * (
        date_trunc('day', max(orders.ordered_at) - min(orders.ordered_at))
        + interval '1 day'
    ) as by
from commerce.orders
cross join generate_series(1, 4) as copy_number
where orders.ordered_at >= '1970-01-01'
group by copy_number;

update commerce.customers
set created_at = created_at - earlier.by
from earlier
where earlier.copy_number = 4;

insert into commerce.orders
select
    md5(id || ':' || copy_number)::uuid, tenant_id, customer_id, status,
    ordered_at - earlier.by, delivered_at - earlier.by, total_amount, currency,
    created_at - earlier.by, updated_at - earlier.by
from commerce.orders
cross join earlier
-- a year that the rules reject cannot be moved
where ordered_at >= '1970-01-01'
order by 5;

update booking.customers
set created_at = created_at - earlier.by
from earlier
where earlier.copy_number = 4;

insert into booking.bookings
select
    organization_id, booking_id || ':' || copy_number, square_customer_id, location_id,
    team_member_id, service_id, status, start_at - earlier.by, customer_note, seller_note,
    created_at - earlier.by, updated_at - earlier.by
from booking.bookings
cross join earlier
order by 8;

insert into booking.payments
select
    organization_id, payment_id || ':' || copy_number, square_customer_id, location_id,
    booking_id || ':' || copy_number, status, amount_cents, tip_cents, refunded_cents,
    currency, created_at - earlier.by, updated_at - earlier.by
from booking.payments
cross join earlier
order by 11;

drop table earlier;
reset session_replication_role
