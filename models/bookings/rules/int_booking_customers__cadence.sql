with bookings as (
    select * from {{ ref('int_bookings') }}
),

organizations as (
    select * from {{ ref('int_booking_organizations') }}
),

visits as (
    select
        bookings.organization_id,
        bookings.customer_number,
        bookings.start_local::date as visit_on,
        organizations.segment_active_days
    from bookings
    inner join organizations
        on bookings.organization_id = organizations.organization_id
    where bookings.is_visit
),

gaps as (
    select
        *,
        visit_on - lag(visit_on) over (
            partition by customer_number, organization_id order by visit_on
        ) as gap_days
    from visits
),

-- several visits on one day are one visit day
visit_days as (
    select
        *,
        row_number() over (
            partition by customer_number, organization_id order by visit_on
        ) as day_number,
        count(*) over (partition by customer_number, organization_id) as total_days
    from gaps
    where gap_days > 0 or gap_days is null
),

measured as (
    select
        organization_id,
        customer_number,
        min(visit_on) as first_visit_on,
        max(visit_on) as last_visit_on,
        -- the latest visit after a silence in which the customer was at risk or lost
        max(visit_on) filter (where gap_days > segment_active_days + 1)
            as came_back_on,
        count(gap_days) as gaps_count,
        avg(gap_days) as mean_days,
        percentile_cont(0.5) within group (order by gap_days)::numeric as median_days,
        stddev_samp(gap_days) as stddev_days,
        -- between the last five visit days lie four gaps
        avg(gap_days) filter (where day_number > total_days - 4) as recent_mean_days
    from visit_days
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
        round(recent_mean_days)::integer as recent_cadence_days,
        last_visit_on + round(recent_mean_days)::integer as expected_next_visit_date,
        case
            when gaps_count = 0 then 'NONE'
            when gaps_count <= 2 then 'LOW'
            when gaps_count <= 4 then 'MEDIUM'
            -- too irregular to rely on
            when
                stddev_days > {{ var('irregular_visits_cv') }} * mean_days
                then 'MEDIUM'
            else 'HIGH'
        end as cadence_confidence
    from measured
)

select * from final
