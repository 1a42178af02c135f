{{ config(materialized='view_in_place') }}

with visits as (
    select * from {{ ref('customer_visits') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

measured as (
    select
        visits.organization_id,
        organizations.organization_slug,
        dimensions.dimension,
        dimensions.dimension_id,
        windows.days as window_days,
        visits.visit_on,
        -- without a creation date of bookings, there is none for the next one either
        visits.visit_on + windows.days < organizations.today
        and visits.booked_on is not null as is_counted,
        coalesce(visits.rebooked_on <= visits.visit_on + windows.days, false)
            as is_rebooked
    from visits
    inner join organizations
        on visits.organization_id = organizations.organization_id
    cross join
        lateral (
            values
            ('organization', 'all'),
            ('location', visits.location_id::text),
            ('service', visits.service_id),
            ('team_member', visits.team_member_id)
        ) as dimensions (dimension, dimension_id)
    cross join (values (30), (60), (90)) as windows (days)
),

counted as (
    select
        organization_id,
        organization_slug,
        dimension,
        dimension_id,
        window_days,
        min(visit_on) filter (where is_counted) as first_counted_on,
        max(visit_on) filter (where is_counted) as last_counted_on,
        count(*) filter (where is_counted) as visits_count,
        count(*) filter (where is_counted and is_rebooked) as rebooked_count,
        count(*) filter (where not is_counted) as left_out_count
    from measured
    group by organization_id, organization_slug, dimension, dimension_id, window_days
),

final as (
    select
        *,
        round(rebooked_count::numeric / nullif(visits_count, 0), 4)::numeric(5, 4)
            as rebooking_rate
    from counted
)

select * from final
