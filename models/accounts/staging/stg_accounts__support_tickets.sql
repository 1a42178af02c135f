select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        account_id,
        ticket_id,
        severity,
        ticket_status,
        is_escalated,
        satisfaction,
        created_at,
        resolved_at,
        {{ quarantine_reason(
            key='ticket_id',
            required=['organization_id', 'account_id', 'created_at'],
            timestamps=['created_at', 'resolved_at'],
            ranges={'severity': [0, 4], 'satisfaction': [0, 5]},
        ) }} as quarantine_reason
    from (
        select
            id as ticket_id,
            organization_id,
            account_id,
            severity,
            status as ticket_status,
            is_escalated,
            csat as satisfaction,
            created_at,
            resolved_at,
            {{ copy_number(
                source('accounts', 'support_tickets'),
                key=['organization_id', 'id'],
                newest='created_at',
            ) }} as copy_number
        from {{ source('accounts', 'support_tickets') }}
    ) as renamed
) as judged
