select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        tenant_id,
        tenant_slug,
        tenant_name,
        {{ iana_zone('time_zone') }} as time_zone,
        is_active,
        updated_at,
        {{ quarantine_reason(
            key='tenant_id',
            copy_number=copy_number('input_orders__tenants', newest='updated_at'),
            required=['tenant_slug', 'time_zone', 'is_active'],
            time_zones=['time_zone'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_orders__tenants') }}
        from {{ ref('input_orders__tenants') }}
    ) as given
) as judged
