{{ config(materialized='view_in_place') }}

with visits as (
    select * from {{ ref('customer_visits') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

first_visits as (
    select
        visits.organization_id,
        organizations.organization_slug,
        dimensions.dimension,
        dimensions.dimension_id,
        windows.days as window_days,
        visits.visit_on,
        -- the last day of the window is over
        visits.visit_on + windows.days < organizations.today as is_over,
        coalesce(visits.next_visit_on <= visits.visit_on + windows.days, false)
            as has_come_back
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
    where visits.is_first_visit
),

counted as (
    select
        organization_id,
        organization_slug,
        dimension,
        dimension_id,
        window_days,
        min(visit_on) filter (where is_over) as first_counted_on,
        max(visit_on) filter (where is_over) as last_counted_on,
        count(*) filter (where is_over) as new_customers,
        count(*) filter (where is_over and has_come_back) as returned_customers,
        count(*) filter (where not is_over) as waiting_customers
    from first_visits
    group by organization_id, organization_slug, dimension, dimension_id, window_days
),

final as (
    select
        *,
        round(returned_customers::numeric / nullif(new_customers, 0), 4)::numeric(5, 4)
            as retention_rate
    from counted
)

select * from final
