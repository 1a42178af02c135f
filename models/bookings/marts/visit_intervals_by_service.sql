{{ config(materialized='view_in_place') }}

with visits as (
    select * from {{ ref('customer_visits') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

-- several visits on one day are one visit day
days as (
    select distinct
        organization_id,
        square_customer_id,
        service_id,
        visit_on,
        visit_on - previous_same_service_on as interval_days
    from visits
),

final as (
    select
        days.organization_id,
        organizations.organization_slug,
        days.service_id,
        count(distinct days.square_customer_id) as customers_count,
        count(days.interval_days) as intervals_count,
        percentile_disc(0.25) within group (order by days.interval_days)
            as interval_days_q1,
        percentile_disc(0.5) within group (order by days.interval_days)
            as interval_days_median,
        percentile_disc(0.75) within group (order by days.interval_days)
            as interval_days_q3
    from days
    inner join organizations
        on days.organization_id = organizations.organization_id
    group by days.organization_id, organizations.organization_slug, days.service_id
)

select * from final
