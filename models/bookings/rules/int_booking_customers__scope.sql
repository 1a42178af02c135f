{{ config(unique_key=['organization_id', 'square_customer_id']) }}

-- depends_on: {{ ref('int_booking_totals__before') }}
-- The customers that this refresh recomputes: every profile, and every customer seen in
-- a booking or payment, whatever its date.
with profiles as (
    select * from {{ ref('stg_bookings__customers') }}
),

bookings as (
    select * from {{ ref('stg_bookings__bookings') }}
),

payments as (
    select * from {{ ref('stg_bookings__payments') }}
),

changed_keys as not materialized (
    select * from {{ ref('int_changed_keys__bookings') }}
),

analytics as (
    select * from {{ as_before_refresh('customer_analytics') }} as published
),

due_by_themselves as (
    select * from {{ ref('int_booking_customers__due') }}
),

-- every valid row that names a customer; each use reads what it needs by its own index
named as not materialized (
    select
        organization_id,
        square_customer_id
    from profiles
    where is_valid

    union all

    select
        organization_id,
        square_customer_id
    from bookings
    where
        is_valid
        and square_customer_id is not null

    union all

    select
        organization_id,
        square_customer_id
    from payments
    where
        is_valid
        and square_customer_id is not null
),

-- what an hourly refresh recomputes; not materialized, so that Citus computes it where
-- the rows are
due as not materialized (
    select
        organization_id,
        square_customer_id
    from changed_keys
    where kind = 'customer'

    union distinct

    select
        named.organization_id,
        named.square_customer_id
    from changed_keys
    inner join named
        on
            changed_keys.organization_id = named.organization_id
            and changed_keys.kind = 'tenant'

    union distinct

    -- the customers that an organization no longer has
    select
        analytics.organization_id,
        analytics.square_customer_id
    from changed_keys
    inner join analytics
        on
            changed_keys.organization_id = analytics.organization_id
            and changed_keys.kind = 'tenant'

    union distinct

    select * from due_by_themselves
),

seen as (
    select distinct
        organization_id,
        square_customer_id
    from named
),

-- what a nightly refresh recomputes, too
others as (
    select
        seen.organization_id,
        seen.square_customer_id
    from seen
    left join due
        on
            seen.organization_id = due.organization_id
            and seen.square_customer_id = due.square_customer_id
    where
        due.organization_id is null
        and '{{ var("refresh_scope") }}' = 'all'
),

final as (
    select
        organization_id,
        square_customer_id,
        true as is_due,
        exists(
            select from named
            where
                due.organization_id = named.organization_id
                and due.square_customer_id = named.square_customer_id
        ) as is_seen
    from due

    union all

    select
        organization_id,
        square_customer_id,
        false as is_due,
        true as is_seen
    from others
)

select * from final
