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
            copy_number=copy_number('input_usage__users', newest='updated_at'),
            required=['organization_id', 'is_enabled', 'created_at'],
            timestamps=['last_login_at', 'created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_usage__users') }}
        from {{ ref('input_usage__users') }}
    ) as given
) as judged
