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
            copy_number=copy_number('input_orders__customers', newest='updated_at'),
            required=['tenant_id', 'is_closed'],
            timestamps=['created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_orders__customers') }}
        from {{ ref('input_orders__customers') }}
    ) as given
) as judged
