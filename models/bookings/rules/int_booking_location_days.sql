{{ config(meta={'analyzed': ['organization_id', 'location_id', 'date']}) }}

-- depends_on: {{ ref('int_booking_location_days__scope') }}
-- depends_on: {{ ref('int_booking_totals__before') }}
with bookings as (
    {%- if var('refresh_scope') == 'changed' %}
        select
            bookings.*,
            scope.date as due_date
        from {{ ref('int_booking_location_days__scope') }} as scope
        cross join lateral (
            select bookings.*
            from {{ ref('stg_bookings__bookings') }} as bookings
            where
                scope.organization_id = bookings.organization_id
                and scope.location_id = bookings.location_id
                and scope.earliest_start_at <= bookings.start_at
                and scope.latest_start_at > bookings.start_at
            -- a fence: each date is looked up in the index. The planner cannot know how
            -- narrow the date ranges are and would otherwise read all bookings
            {{ fence() }}
        ) as bookings
    {%- else %}
        select
            *,
            null::date as due_date
        from {{ ref('stg_bookings__bookings') }}
    {%- endif %}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

locations as (
    select * from {{ ref('int_booking_locations') }}
),

-- an unknown location has the time zone of its organization
dated as (
    select
        bookings.organization_id,
        bookings.location_id,
        {{ local_date(
            'bookings.start_at', 'coalesce(locations.time_zone, organizations.time_zone)'
        ) }} as date,
        bookings.square_customer_id,
        bookings.booking_status,
        bookings.due_date
    from bookings
    inner join organizations
        on bookings.organization_id = organizations.organization_id
    left join locations
        on
            bookings.organization_id = locations.organization_id
            and bookings.location_id = locations.location_id
    where bookings.is_valid
),

final as (
    select
        organization_id,
        location_id,
        date,
        count(*) filter (where booking_status = 'ACCEPTED') as accepted_appointments,
        count(*) filter (where booking_status = 'NO_SHOW') as no_show_appointments,
        count(*) filter (where booking_status = 'CANCELLED_BY_CUSTOMER')
            as cancelled_by_customer,
        count(*) filter (where booking_status = 'CANCELLED_BY_SELLER')
            as cancelled_by_seller,
        count(distinct square_customer_id) filter (where booking_status = 'ACCEPTED')
            as unique_customers,
        count(*) filter (where booking_status = 'PENDING') as pending_appointments,
        count(*) filter (where booking_status = 'DECLINED') as declined_appointments,
        count(*) as total_bookings,
        count(*) filter (
            where booking_status = 'ACCEPTED' and square_customer_id is null
        ) as unidentified_appointments
    from dated
    where
        due_date = date
        or due_date is null
    group by date, organization_id, location_id
)

select * from final
