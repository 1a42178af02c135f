-- The operational tables of the four systems, as an application would have them and as
-- our inputs read them.
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
-- shows how fresh the source is
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

-- how organizations use a product
create schema platform;

create table platform.organizations (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    time_zone text not null default 'UTC',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table platform.users (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    is_enabled boolean not null default true,
    last_login_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table platform.cases (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    status text not null,
    created_at timestamptz not null default now(),
    closed_at timestamptz,
    updated_at timestamptz not null default now()
);

create table platform.investigations (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    case_id uuid not null references platform.cases,
    is_primary boolean not null default false,
    sla_status text not null,
    updated_at timestamptz not null default now()
);

create table platform.campaigns (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    name text,
    starts_at timestamptz,
    ends_at timestamptz
);

create table platform.campaign_assignments (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    campaign_id uuid not null references platform.campaigns,
    status text not null,
    due_at timestamptz,
    completed_at timestamptz,
    updated_at timestamptz not null default now()
);

-- a feature that is tracked and was never used has no first_used_at
create table platform.feature_adoptions (
    organization_id uuid not null references platform.organizations,
    feature_key text not null,
    first_used_at timestamptz,
    last_used_at timestamptz,
    primary key (organization_id, feature_key)
);

create table platform.support_tickets (
    id uuid primary key,
    organization_id uuid not null references platform.organizations,
    severity integer,
    status text not null,
    created_at timestamptz not null,
    resolved_at timestamptz
);

-- what a customer-success team knows of its accounts
create schema success;

create table success.organizations (
    id uuid primary key,
    slug text not null unique,
    name text not null,
    time_zone text not null default 'UTC',
    is_active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table success.accounts (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    name text not null,
    industry text,
    size text,
    arr numeric(14, 2),
    status text not null,
    health_score integer,
    churn_risk_score integer,
    renewal_on date,
    archived_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table success.engagements (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    account_id uuid not null references success.accounts,
    type text not null,
    title text,
    outcome text,
    scheduled_at timestamptz,
    completed_at timestamptz,
    attendees jsonb not null default '[]',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table success.health_metrics (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    account_id uuid not null references success.accounts,
    metric_date date not null,
    login_frequency integer,
    feature_adoption_score integer,
    support_tickets integer,
    training_completion_rate numeric(5, 2),
    overall_health_score integer,
    created_at timestamptz not null default now()
);

-- a long history, of which the newest row is looked up
create index on success.health_metrics (organization_id, account_id, metric_date);

create table success.customer_goals (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    account_id uuid not null references success.accounts,
    title text,
    metric_type text,
    current_value numeric(14, 2),
    target_value numeric(14, 2),
    -- its value when the goal was set
    start_value numeric,
    unit text,
    measurement_period text,
    status text,
    target_date date,
    completion_date date,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

create table success.support_tickets (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    account_id uuid not null references success.accounts,
    severity integer,
    status text not null,
    is_escalated boolean not null default false,
    csat integer,
    created_at timestamptz not null,
    resolved_at timestamptz
);

create table success.invoices (
    id uuid primary key,
    organization_id uuid not null references success.organizations,
    account_id uuid not null references success.accounts,
    due_on date not null,
    paid_on date,
    amount numeric(14, 2)
);
