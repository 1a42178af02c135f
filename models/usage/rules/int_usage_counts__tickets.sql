with days as (
    select * from {{ ref('int_usage_days') }}
),

tickets as (
    select * from {{ ref('stg_usage__support_tickets') }}
),

final as (
    select
        days.organization_id,
        days.metric_date,
        count(*) as support_tickets_count
    from days
    inner join tickets
        on
            days.organization_id = tickets.organization_id
            and days.window_starts_at <= tickets.created_at
            and days.window_ends_at > tickets.created_at
    where tickets.is_valid
    group by days.organization_id, days.metric_date
)

select * from final
