select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        feature_key,
        first_used_at,
        last_used_at,
        {{ quarantine_reason(
            key='feature_key',
            required=['organization_id'],
            timestamps=['first_used_at', 'last_used_at'],
        ) }} as quarantine_reason
    from (
        select
            organization_id,
            feature_key,
            first_used_at,
            last_used_at,
            {{ copy_number(
                source('usage', 'feature_adoptions'),
                key=['organization_id', 'feature_key'],
                newest='last_used_at',
            ) }} as copy_number
        from {{ source('usage', 'feature_adoptions') }}
    ) as renamed
) as judged
