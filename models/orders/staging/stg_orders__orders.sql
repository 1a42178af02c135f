select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        tenant_id,
        customer_id,
        order_id,
        order_status,
        ordered_at,
        delivered_at,
        -- sums of whole cents are exact, and twice as fast as sums of numeric
        case
            when {{ is_amount('total_amount') }}
                -- a real number has six digits as numeric, and fifteen times numeric
                then round((total_amount * 100::numeric)::numeric)::bigint
        end as total_cents,
        currency,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='order_id',
            copy_number=copy_number('input_orders__orders', newest='updated_at'),
            required=['tenant_id', 'customer_id'],
            timestamps=['ordered_at', 'delivered_at', 'created_at', 'updated_at'],
            amounts=['total_amount'],
            known_values=words_of_input('input_orders__orders'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_orders__orders') }}
        from {{ ref('input_orders__orders') }}
    ) as given
) as judged
