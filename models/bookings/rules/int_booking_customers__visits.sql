{{ config(meta={'analyzed': ['organization_id', 'square_customer_id', 'booking_id']}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

moments as (
    select * from {{ ref('int_booking_customers__moments') }}
),

bookings as (
    select * from {{ ref('int_bookings') }}
),

-- bookings that were neither cancelled nor declined
standing as (
    select
        *,
        start_local::date as starts_on
    from bookings
    where booking_status in ('ACCEPTED', 'PENDING', 'NO_SHOW')
),

neighbours as (
    select
        *,
        min(starts_on) filter (where is_visit) over later_days as next_visit_on,
        min(created_on) over later_days as rebooked_on,
        max(starts_on) filter (where is_visit) over earlier_days_of_service
            as previous_same_service_on
    from standing
    -- the latest day first, so that each row adds to the result of the row before
    window
        later_days as (
            partition by customer_number, organization_id
            order by starts_on desc
            groups between unbounded preceding and 1 preceding
        ),
        earlier_days_of_service as (
            partition by customer_number, organization_id, service_id collate "C"
            order by starts_on
            groups between unbounded preceding and 1 preceding
        )
),

final as (
    select
        neighbours.organization_id,
        customers.square_customer_id,
        neighbours.booking_id,
        neighbours.location_id,
        neighbours.team_member_id,
        neighbours.service_id,
        neighbours.starts_on as visit_on,
        neighbours.booking_id = moments.first_booking_id as is_first_visit,
        neighbours.next_visit_on,
        neighbours.previous_same_service_on,
        neighbours.created_on as booked_on,
        neighbours.rebooked_on
    from neighbours
    inner join customers
        on
            neighbours.organization_id = customers.organization_id
            and neighbours.customer_number = customers.customer_number
    -- who has come has had its first booking
    inner join moments
        on
            neighbours.organization_id = moments.organization_id
            and neighbours.customer_number = moments.customer_number
    where neighbours.is_visit
)

select * from final
