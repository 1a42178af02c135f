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
            copy_number=copy_number(
                'input_accounts__support_tickets', newest='created_at'
            ),
            required=['organization_id', 'account_id', 'created_at'],
            timestamps=['created_at', 'resolved_at'],
            ranges={'severity': [0, 4], 'satisfaction': [0, 5]},
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_accounts__support_tickets') }}
        from {{ ref('input_accounts__support_tickets') }}
    ) as given
) as judged
