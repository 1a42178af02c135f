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
            required=['organization_id'],
            timestamps=['created_at', 'closed_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as case_id,
            created_at,
            closed_at,
            updated_at,
            {{ copy_number(
                source('usage', 'cases'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('usage', 'cases') }}
    ) as renamed
) as judged
