select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        payment_id,
        square_customer_id,
        location_id,
        payment_status,
        coalesce(amount_cents, 0) as amount_cents,
        coalesce(tip_cents, 0) as tip_cents,
        coalesce(refunded_cents, 0) as refunded_cents,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='payment_id',
            copy_number=copy_number('input_bookings__payments', newest='updated_at'),
            required=['organization_id', 'created_at'],
            timestamps=['created_at', 'updated_at'],
            cents=['amount_cents', 'tip_cents', 'refunded_cents'],
            known_values=words_of_input('input_bookings__payments'),
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__payments') }}
        from {{ ref('input_bookings__payments') }}
    ) as given
) as judged
