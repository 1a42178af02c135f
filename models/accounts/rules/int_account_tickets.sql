with accounts as (
    select * from {{ ref('int_accounts') }}
),

tickets as not materialized (
    select * from {{ ref('stg_accounts__support_tickets') }}
),

final as (
    select
        tickets.organization_id,
        tickets.account_id,
        tickets.ticket_id,
        tickets.severity,
        -- customers rate a ticket when it is resolved
        case
            when tickets.resolved_at is null or tickets.resolved_at <= {{ as_of() }}
                then tickets.satisfaction
        end as satisfaction,
        coalesce(tickets.is_escalated, false) as is_escalated,
        {{ local_date('tickets.created_at', 'accounts.time_zone') }} as created_on,
        case
            -- resolved after as_of is not resolved yet
            when tickets.resolved_at <= {{ as_of() }}
                then {{ local_date('tickets.resolved_at', 'accounts.time_zone') }}
            -- closed without a date: we treat it as never open
            when
                tickets.resolved_at is null
                and lower(tickets.ticket_status)
                = any({{ text_array(
                    var('closed_ticket_statuses') | map('lower') | list
                ) }})
                then {{ local_date('tickets.created_at', 'accounts.time_zone') }}
        end as closed_on,
        -- if it was resolved before it was created, the duration is unknown
        case
            when
                tickets.resolved_at <= {{ as_of() }}
                and tickets.resolved_at >= tickets.created_at
                then
                    {{ exact_ratio(
                        'extract(epoch from tickets.resolved_at - tickets.created_at)', 3600
                    ) }}
        end as hours_to_resolve
    from accounts
    inner join tickets
        on
            accounts.organization_id = tickets.organization_id
            and accounts.account_id = tickets.account_id
    where
        tickets.is_valid
        and tickets.created_at <= {{ as_of() }}
)

select * from final
