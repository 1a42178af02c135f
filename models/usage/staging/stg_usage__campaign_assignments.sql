select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        assignment_id,
        campaign_id,
        assignment_status,
        due_at,
        completed_at,
        updated_at,
        {{ quarantine_reason(
            key='assignment_id',
            required=['organization_id', 'campaign_id'],
            timestamps=['due_at', 'completed_at', 'updated_at'],
            known_values={
                'assignment_status': ['PENDING', 'IN_PROGRESS', 'COMPLETED', 'OVERDUE']
            },
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as assignment_id,
            campaign_id,
            status as assignment_status,
            due_at,
            completed_at,
            updated_at,
            {{ copy_number(
                source('usage', 'campaign_assignments'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('usage', 'campaign_assignments') }}
    ) as renamed
) as judged
