-- depends_on: {{ ref('int_booking_location_days__scope') }}
-- depends_on: {{ ref('int_booking_totals__before') }}
with bookings as (
    select * from {{ ref('stg_booking__bookings') }}
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
        bookings.booking_status
    from bookings
    inner join organizations
        on bookings.organization_id = organizations.organization_id
    left join locations
        on
            bookings.organization_id = locations.organization_id
            and bookings.location_id = locations.location_id
    {%- if var('refresh_scope') == 'changed' %}
        inner join {{ ref('int_booking_location_days__scope') }} as scope
            on
                bookings.organization_id = scope.organization_id
                and bookings.location_id = scope.location_id
                and bookings.start_at >= scope.earliest_start_at
                and bookings.start_at < scope.latest_start_at
                and {{ local_date(
                'bookings.start_at',
                'coalesce(locations.time_zone, organizations.time_zone)'
            ) }} = scope.date
    {%- endif %}
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
    group by date, location_id, organization_id
)

select * from final
