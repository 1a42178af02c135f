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
            copy_number=copy_number('input_orders__sales_reps', newest='updated_at'),
            required=['tenant_id'],
            timestamps=['updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_orders__sales_reps') }}
        from {{ ref('input_orders__sales_reps') }}
    ) as given
) as judged
