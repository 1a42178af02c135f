{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

days as (
    select
        organization_id,
        min(visit_on) as observed_from,
        max(visit_on) as last_visit_on
    from visit_days
    group by organization_id
),

observed as (
    select
        days.organization_id,
        days.observed_from,
        least(days.last_visit_on, organizations.today) as observed_until
    from days
    inner join organizations
        on days.organization_id = organizations.organization_id
),

cuts as (
    select
        *,
        {{ month_from('observed_from + 90') }} as first_cut_on,
        {{ month_to('observed_until - 90') }} as last_cut_on
    from observed
),

counted as (
    select
        *,
        greatest(0, {{ months_between("first_cut_on", "last_cut_on") }} + 1)
            as cuts_count
    from cuts
),

final as (
    select
        organization_id,
        observed_from,
        observed_until,
        first_cut_on,
        last_cut_on,
        case
            when cuts_count > 0
                then
                    (
                        first_cut_on
                        + (cuts_count - 1) / 2 * interval '1 month'
                    )::date
        end as middle_cut_on,
        cuts_count,
        {{ var('backtest_min_customers') }} as min_customers
    from counted
)

select * from final
