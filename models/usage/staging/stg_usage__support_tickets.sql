{{ config(meta={'needs': 'usage_support_tickets_enabled'}) }}

select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        ticket_id,
        created_at,
        {{ quarantine_reason(
            key='ticket_id',
            copy_number=copy_number(
                'input_usage__support_tickets', newest='created_at'
            ),
            required=['organization_id', 'created_at'],
            timestamps=['created_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__support_tickets') }}
        from {{ ref('input_usage__support_tickets') }}
    ) as given
) as judged
