select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        user_id,
        is_enabled,
        last_login_at,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='user_id',
            required=['organization_id', 'is_enabled', 'created_at'],
            timestamps=['last_login_at', 'created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            id as user_id,
            is_enabled,
            last_login_at,
            created_at,
            updated_at,
            {{ copy_number(
                source('usage', 'users'),
                key=['organization_id', 'id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('usage', 'users') }}
    ) as renamed
) as judged
