-- Counts the tickets created in the days before, with what was known about them then.
with account_days as (
    select * from {{ ref('int_account_days') }}
),

tickets as (
    select * from {{ ref('int_account_tickets') }}
),

judged as (
    select
        account_days.organization_id,
        account_days.account_id,
        account_days.evaluated_on,
        tickets.severity,
        tickets.is_escalated,
        tickets.created_on
        > account_days.evaluated_on - {{ var('account_recent_days') }} as is_recent,
        coalesce(tickets.closed_on <= account_days.evaluated_on, false) as is_closed,
        -- the rating is unknown until the ticket is closed
        case
            when tickets.closed_on > account_days.evaluated_on then null
            else tickets.satisfaction
        end as satisfaction,
        tickets.hours_to_resolve
    from account_days
    inner join tickets
        on
            account_days.organization_id = tickets.organization_id
            and account_days.account_id = tickets.account_id
            and account_days.evaluated_on >= tickets.created_on
),

final as (
    select
        organization_id,
        account_id,
        evaluated_on,
        count(*) filter (where is_recent) as tickets_count,
        {{ exact_mean('severity', 'is_recent') }} as mean_severity,
        {{ exact_mean('hours_to_resolve', 'is_recent and is_closed') }}
            as mean_hours_to_resolve,
        {{ exact_mean('satisfaction', 'is_recent') }} as mean_satisfaction,
        count(*) filter (where not is_closed) as open_tickets_count,
        count(*) filter (where not is_closed and is_escalated)
            as escalated_tickets_count
    from judged
    where
        is_recent
        or not is_closed
    group by organization_id, account_id, evaluated_on
)

select * from final
