select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        investigation_id,
        case_id,
        is_primary,
        sla_status,
        updated_at,
        {{ quarantine_reason(
            key='investigation_id',
            required=['organization_id', 'case_id', 'is_primary'],
            timestamps=['updated_at'],
            known_values={'sla_status': ['ON_TRACK', 'WARNING', 'OVERDUE']},
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as investigation_id,
            case_id,
            is_primary,
            sla_status,
            updated_at,
            {{ copy_number(
                source('usage', 'investigations'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('usage', 'investigations') }}
    ) as renamed
) as judged
