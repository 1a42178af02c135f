select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        organization_slug,
        organization_name,
        time_zone,
        is_active,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='organization_id',
            required=['organization_slug', 'time_zone', 'is_active'],
            time_zones=['time_zone'],
            timestamps=['created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select
            id as organization_id,
            slug as organization_slug,
            name as organization_name,
            time_zone,
            is_active,
            created_at,
            updated_at,
            {{ copy_number(
                source('accounts', 'organizations'), key=['id'], newest='updated_at'
            ) }} as copy_number
        from {{ source('accounts', 'organizations') }}
    ) as renamed
) as judged
