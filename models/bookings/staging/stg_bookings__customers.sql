select
    *,
    {{ is_valid() }} as is_valid
from (
    select
        organization_id,
        square_customer_id,
        given_name,
        family_name,
        email_address,
        phone_number,
        acquisition_source,
        created_at,
        updated_at,
        {{ quarantine_reason(
            key='square_customer_id',
            copy_number=copy_number('input_bookings__customers', newest='updated_at'),
            required=['organization_id'],
            timestamps=['created_at', 'updated_at'],
        ) }} as quarantine_reason
    from (
        select {{ columns_of_input('input_bookings__customers') }}
        from {{ ref('input_bookings__customers') }}
    ) as given
) as judged
