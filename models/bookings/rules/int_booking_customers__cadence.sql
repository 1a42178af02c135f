{{ config(meta={'analyzed': ['organization_id', 'customer_number']}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

visit_days as (
    select * from {{ ref('int_booking_customers__visit_days') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

-- a gap is in the row of the day before it
gaps as (
    select
        visit_days.*,
        customers.customer_number,
        organizations.segment_active_days,
        visit_days.next_visit_on - visit_days.visit_on as gap_days
    from visit_days
    inner join customers
        on
            visit_days.organization_id = customers.organization_id
            and visit_days.square_customer_id = customers.square_customer_id
    inner join organizations
        on visit_days.organization_id = organizations.organization_id
),

measured as (
    select
        organization_id,
        customer_number,
        min(visit_on) as first_visit_on,
        max(visit_on) as last_visit_on,
        -- the latest visit after the customer was AT_RISK or LOST
        max(next_visit_on) filter (where gap_days > segment_active_days + 1)
            as came_back_on,
        avg(gap_days) as mean_days,
        percentile_cont(0.5) within group (order by gap_days)::numeric as median_days,
        stddev_samp(gap_days) as stddev_days,
        -- as known after the last visit
        max(recent_cadence_days) filter (where next_visit_on is null)
            as recent_cadence_days,
        max(cadence_confidence) filter (where next_visit_on is null)
            as cadence_confidence
    from gaps
    group by customer_number, organization_id
),

final as (
    select
        organization_id,
        customer_number,
        first_visit_on,
        last_visit_on,
        came_back_on,
        round(mean_days, 1)::numeric(9, 1) as avg_days_between_visits,
        round(median_days, 1)::numeric(9, 1) as median_days_between_visits,
        round(stddev_days, 1)::numeric(9, 1) as stddev_days_between_visits,
        recent_cadence_days,
        last_visit_on + recent_cadence_days as expected_next_visit_date,
        cadence_confidence
    from measured
)

select * from final
