{{ config(materialized='view_in_place') }}

with visit_days as (
    select * from {{ ref('customer_visit_days') }}
),

organizations as (
    select * from {{ ref('booking_organizations') }}
),

periods as (
    select * from {{ ref('visit_backtest_periods') }}
),

-- visit days for which the next 90 days are known
judged as (
    select
        visit_days.organization_id,
        organizations.organization_slug,
        visit_days.cadence_confidence,
        case
            when visit_days.next_visit_on - visit_days.visit_on <= 90
                then visit_days.next_visit_on - visit_days.visit_on
        end as waited_days,
        visit_days.recent_cadence_days
    from visit_days
    inner join organizations
        on visit_days.organization_id = organizations.organization_id
    inner join periods
        on visit_days.organization_id = periods.organization_id
    where visit_days.visit_on + 90 <= periods.observed_until
),

off as (
    select
        *,
        waited_days - recent_cadence_days as error_days
    from judged
),

final as (
    select
        organization_id,
        organization_slug,
        cadence_confidence,
        count(*) as visit_days_count,
        count(waited_days) as followed_count,
        avg(abs(error_days))::double precision as mean_absolute_error_days,
        avg(error_days)::double precision as mean_error_days,
        percentile_disc(0.5) within group (order by error_days) as median_error_days,
        count(*) filter (where abs(error_days) <= 7) as within_7_days_count,
        count(*) filter (where abs(error_days) <= 7)
        / nullif(count(recent_cadence_days), 0)::double precision as within_7_days_share
    from off
    group by organization_id, organization_slug, cadence_confidence
)

select * from final
