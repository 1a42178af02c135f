select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        tenant_id,
        tenant_slug,
        tenant_name,
        time_zone,
        is_active,
        updated_at,
        {{ quarantine_reason(
            key='tenant_id',
            required=['tenant_slug', 'time_zone', 'is_active'],
            time_zones=['time_zone'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select
            id as tenant_id,
            slug as tenant_slug,
            name as tenant_name,
            time_zone,
            is_active,
            updated_at,
            {{ copy_number(
                source('orders', 'tenants'), key=['id'], newest='updated_at'
            ) }} as copy_number
        from {{ source('orders', 'tenants') }}
    ) as renamed
) as judged
