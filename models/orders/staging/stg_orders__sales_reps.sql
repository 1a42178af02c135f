select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        tenant_id,
        sales_rep_id,
        sales_rep_name,
        sales_rep_email,
        is_active,
        updated_at,
        {{ quarantine_reason(
            key='sales_rep_id',
            required=['tenant_id'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select
            id as sales_rep_id,
            tenant_id,
            name as sales_rep_name,
            email as sales_rep_email,
            is_active,
            updated_at,
            {{ copy_number(
                source('orders', 'sales_reps'), key=['tenant_id', 'id'], newest='updated_at'
            ) }} as copy_number
        from {{ source('orders', 'sales_reps') }}
    ) as renamed
) as judged
