{{ config(meta={'analyzed': ['organization_id', 'square_customer_id', 'visit_on']}) }}

with customers as (
    select * from {{ ref('int_booking_customers') }}
),

bookings as (
    select * from {{ ref('int_bookings') }}
),

visits as (
    select
        organization_id,
        customer_number,
        start_local::date as visit_on,
        row_number() over in_sequence as visit_number,
        lead(start_local::date) over in_sequence as next_visit_on
    from bookings
    where is_visit
    window in_sequence as (
        partition by customer_number, organization_id order by start_local::date
    )
),

-- several visits on one day are one visit day, which its last one stands for
days as (
    select *
    from visits
    where next_visit_on is distinct from visit_on
),

neighbours as (
    select
        *,
        visit_number - lag(visit_number, 1, 0::bigint) over in_sequence as visits_count,
        first_value(visit_on) over in_sequence as first_visit_on,
        row_number() over in_sequence as visit_day_number,
        lag(visit_on, 4) over in_sequence as fifth_last_visit_on,
        visit_on - lag(visit_on) over in_sequence as gap_days
    from days
    window in_sequence as (
        partition by customer_number, organization_id order by visit_on
    )
),

measured as (
    select
        *,
        visit_day_number - 1 as gaps_count,
        (visit_on - first_visit_on)::bigint as total_days,
        -- a double adds whole numbers without an error, and faster than a numeric
        (sum(gap_days::double precision * gap_days) over so_far)::bigint
            as total_squares,
        -- the last five visit days have four gaps
        least(visit_day_number - 1, 4) as recent_gaps,
        visit_on - coalesce(fifth_last_visit_on, first_visit_on) as recent_days
    from neighbours
    window so_far as (
        partition by customer_number, organization_id
        order by visit_on
        rows unbounded preceding
    )
),

judged as (
    select
        *,
        -- half up, in whole numbers
        ((2 * recent_days + recent_gaps) / nullif(2 * recent_gaps, 0))::integer
            as recent_cadence_days,
        -- whether the standard deviation exceeds that share of the mean: both sides
        -- squared, without a division
        (gaps_count * total_squares - total_days * total_days) * gaps_count::numeric
        > {{ var('irregular_visits_cv') }} * {{ var('irregular_visits_cv') }}
        * (total_days * total_days * (gaps_count - 1))
            as is_irregular
    from measured
),

final as (
    select
        judged.organization_id,
        customers.square_customer_id,
        judged.visit_on,
        judged.next_visit_on,
        judged.first_visit_on,
        judged.visit_day_number,
        judged.recent_cadence_days,
        case
            when judged.gaps_count = 0 then 'NONE'
            when judged.gaps_count <= 2 then 'LOW'
            when judged.gaps_count <= 4 then 'MEDIUM'
            -- too irregular to rely on
            when judged.is_irregular then 'MEDIUM'
            else 'HIGH'
        end as cadence_confidence,
        judged.visits_count
    from judged
    inner join customers
        on
            judged.organization_id = customers.organization_id
            and judged.customer_number = customers.customer_number
)

select * from final
