{{ config(materialized='view_in_place') }}

with location_days as (
    select * from {{ ref('booking_location_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

locations as (
    select * from {{ ref('booking_locations') }}
),

customers as (
    select * from {{ ref('customer_analytics') }}
),

placed as (
    select
        location_days.*,
        locations.location_name,
        location_days.cancelled_by_customer + location_days.cancelled_by_seller
            as cancelled_appointments,
        won.new_customers,
        {{ local_date(
            'organizations.as_of', 'coalesce(locations.time_zone, organizations.time_zone)'
        ) }} as today
    from location_days
    inner join organizations
        on location_days.organization_id = organizations.organization_id
    left join locations
        on
            location_days.organization_id = locations.organization_id
            and location_days.location_id = locations.location_id
    -- looked up by index for each row, so that the cost depends on the rows requested
    cross join
        lateral (
            select count(*) as new_customers
            from customers
            where
                customers.organization_id = location_days.organization_id
                and customers.first_booking_location_id = location_days.location_id
                and customers.first_booking_date = location_days.date
        ) as won
),

final as (
    select
        organization_id,
        location_id,
        location_name,
        date,
        accepted_appointments as appointments_count,
        accepted_appointments,
        cancelled_appointments,
        no_show_appointments,
        cancelled_by_customer,
        cancelled_by_seller,
        unique_customers,
        new_customers,
        unique_customers - new_customers as returning_customers,
        pending_appointments,
        declined_appointments,
        total_bookings,
        unidentified_appointments,
        round(
            no_show_appointments::numeric
            / nullif(no_show_appointments + accepted_appointments, 0), 4
        )::numeric(5, 4) as no_show_rate,
        round(
            cancelled_appointments::numeric
            / nullif(
                cancelled_appointments + no_show_appointments + accepted_appointments, 0
            ), 4
        )::numeric(5, 4) as cancellation_rate,
        date > today as is_future
    from placed
)

select * from final
