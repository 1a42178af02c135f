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
            required=['organization_id', 'created_at'],
            timestamps=['created_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as ticket_id,
            created_at,
            {{ copy_number(
                source('usage', 'support_tickets'),
                key=['organization_id', 'id'],
                newest='created_at',
            ) }} as copy_number
        from {{ source('usage', 'support_tickets') }}
    ) as renamed
) as judged
