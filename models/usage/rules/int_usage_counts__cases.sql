with days as (
    select * from {{ ref('int_usage_days') }}
),

cases as (
    select * from {{ ref('stg_usage__cases') }}
),

investigations as (
    select * from {{ ref('stg_usage__investigations') }}
),

judged as (
    select
        organization_id,
        case_id,
        -- the primary investigation decides; without one, all must have been on time
        coalesce(
            bool_and(sla_status in ('ON_TRACK', 'WARNING')) filter (where is_primary),
            bool_and(sla_status in ('ON_TRACK', 'WARNING'))
        ) as is_on_time
    from investigations
    where is_valid
    group by organization_id, case_id
),

final as (
    select
        days.organization_id,
        days.metric_date,
        -- a case without an investigation has no deadline
        count(judged.is_on_time) as closed_cases_count,
        count(*) filter (where judged.is_on_time) as on_time_cases_count,
        count(*) filter (where not judged.is_on_time) as overdue_cases_count,
        count(*) filter (where judged.is_on_time is null) as cases_without_sla_count
    from days
    inner join cases
        on
            days.organization_id = cases.organization_id
            and days.window_starts_at <= cases.closed_at
            and days.window_ends_at > cases.closed_at
    left join judged
        on
            cases.organization_id = judged.organization_id
            and cases.case_id = judged.case_id
    where cases.is_valid
    group by days.organization_id, days.metric_date
)

select * from final
