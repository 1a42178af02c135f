-- The operational tables of the orders system, as an application would have them and
-- the staging models expect them.
create schema commerce;

create table commerce.tenants (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    time_zone text not null default 'UTC',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table commerce.sales_reps (
    id uuid primary key,
    tenant_id uuid not null references commerce.tenants,
    name text not null,
    email text,
    is_active boolean not null default true,
    updated_at timestamptz not null default now()
);

create table commerce.customers (
    id uuid primary key,
    tenant_id uuid not null references commerce.tenants,
    sales_rep_id uuid references commerce.sales_reps,
    name text not null,
    email text,
    is_closed boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- written back by customer_health
    account_type text,
    risk_status text,
    last_order_date date,
    next_expected_order_date date,
    average_order_interval_days integer,
    dormancy_since date,
    reactivated_date date
);
create index on commerce.customers (tenant_id);

create table commerce.orders (
    id uuid primary key,
    tenant_id uuid not null references commerce.tenants,
    customer_id uuid references commerce.customers,
    status text not null,
    ordered_at timestamptz,
    delivered_at timestamptz,
    total_amount numeric(14, 2),
    currency text not null default 'USD',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
-- a refresh reads the orders of the customers that changed through this index
create index on commerce.orders (tenant_id, customer_id);
-- how fresh the source is
create index on commerce.orders (updated_at);

create schema booking;

create table booking.organizations (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    time_zone text not null default 'UTC',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table booking.locations (
    organization_id uuid not null references booking.organizations,
    id text not null,
    name text not null,
    time_zone text,
    updated_at timestamptz not null default now(),
    primary key (organization_id, id)
);

create table booking.customers (
    organization_id uuid not null references booking.organizations,
    square_customer_id text not null,
    given_name text,
    family_name text,
    email_address text,
    phone_number text,
    acquisition_source text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, square_customer_id)
);

create table booking.bookings (
    organization_id uuid not null references booking.organizations,
    booking_id text not null,
    square_customer_id text,
    location_id text,
    team_member_id text,
    service_id text,
    status text not null,
    start_at timestamptz,
    customer_note text,
    seller_note text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, booking_id)
);
create index on booking.bookings (organization_id, square_customer_id);
create index on booking.bookings (organization_id, location_id, start_at);
create index on booking.bookings (updated_at);

create table booking.payments (
    organization_id uuid not null references booking.organizations,
    payment_id text not null,
    square_customer_id text,
    location_id text,
    booking_id text,
    status text not null,
    amount_cents bigint,
    tip_cents bigint not null default 0,
    refunded_cents bigint not null default 0,
    currency text not null default 'USD',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, payment_id)
);
create index on booking.payments (organization_id, square_customer_id);
create index on booking.payments (updated_at);

create table booking.referral_profiles (
    organization_id uuid not null references booking.organizations,
    square_customer_id text not null,
    is_activated boolean not null default false,
    activated_at timestamptz,
    referral_source text,
    referral_count integer not null default 0,
    reward_cents bigint not null default 0,
    updated_at timestamptz not null default now(),
    primary key (organization_id, square_customer_id)
);
