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
            copy_number=copy_number(
                'input_usage__campaign_assignments', newest='updated_at'
            ),
            required=['organization_id', 'campaign_id'],
            timestamps=['due_at', 'completed_at', 'updated_at'],
            known_values=words_of_input('input_usage__campaign_assignments'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__campaign_assignments') }}
        from {{ ref('input_usage__campaign_assignments') }}
    ) as given
) as judged
