-- Five times the customers: four copies of each, with other ids and the same rows.
-- Triggers are off, because all marts are filled again afterward.
set session_replication_role = replica;

insert into commerce.customers (
    id, tenant_id, sales_rep_id, name, email, is_closed, created_at, updated_at
)
select
    md5(id || ':' || copy_number)::uuid, tenant_id, sales_rep_id, name, email, is_closed,
    created_at, updated_at
from commerce.customers
cross join generate_series(1, 4) as copy_number;

insert into commerce.orders
select
    md5(id || ':' || copy_number)::uuid, tenant_id,
    md5(customer_id || ':' || copy_number)::uuid, status, ordered_at, delivered_at,
    total_amount, currency, created_at, updated_at
from commerce.orders
cross join generate_series(1, 4) as copy_number
order by ordered_at;

insert into booking.customers
select
    organization_id, square_customer_id || ':' || copy_number, given_name, family_name,
    email_address, phone_number, acquisition_source, created_at, updated_at
from booking.customers
cross join generate_series(1, 4) as copy_number;

insert into booking.bookings
select
    organization_id, booking_id || ':' || copy_number,
    square_customer_id || ':' || copy_number, location_id, team_member_id, service_id,
    status, start_at, customer_note, seller_note, created_at, updated_at
from booking.bookings
cross join generate_series(1, 4) as copy_number
order by start_at;

insert into booking.payments
select
    organization_id, payment_id || ':' || copy_number,
    square_customer_id || ':' || copy_number, location_id,
    booking_id || ':' || copy_number, status, amount_cents, tip_cents, refunded_cents,
    currency, created_at, updated_at
from booking.payments
cross join generate_series(1, 4) as copy_number
order by created_at;

insert into booking.referral_profiles
select
    organization_id, square_customer_id || ':' || copy_number, is_activated, activated_at,
    referral_source, referral_count, reward_cents, updated_at
from booking.referral_profiles
cross join generate_series(1, 4) as copy_number;

reset session_replication_role
