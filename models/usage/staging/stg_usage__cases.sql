select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        case_id,
        created_at,
        closed_at,
        updated_at,
        {{ quarantine_reason(
            key='case_id',
            copy_number=copy_number('input_usage__cases', newest='updated_at'),
            required=['organization_id'],
            timestamps=['created_at', 'closed_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__cases') }}
        from {{ ref('input_usage__cases') }}
    ) as given
) as judged
