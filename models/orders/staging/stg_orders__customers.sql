select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        tenant_id,
        customer_id,
        sales_rep_id,
        customer_name,
        customer_email,
        is_closed,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='customer_id',
            required=['tenant_id', 'is_closed'],
            timestamps=['created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select
            id as customer_id,
            tenant_id,
            sales_rep_id,
            name as customer_name,
            email as customer_email,
            is_closed,
            created_at,
            updated_at,
            {{ copy_number(
                source('orders', 'customers'), key=['tenant_id', 'id'], newest='updated_at'
            ) }} as copy_number
        from {{ source('orders', 'customers') }}
    ) as renamed
) as judged
