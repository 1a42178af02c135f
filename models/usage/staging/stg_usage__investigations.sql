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
            copy_number=copy_number('input_usage__investigations', newest='updated_at'),
            required=['organization_id', 'case_id', 'is_primary'],
            timestamps=['updated_at'],
            known_values=words_of_input('input_usage__investigations'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__investigations') }}
        from {{ ref('input_usage__investigations') }}
    ) as given
) as judged
