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
            required=['organization_id'],
            timestamps=['created_at', 'updated_at'],
        ) }} as quarantine_reason
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
            {{ copy_number(
                source('bookings', 'customers'),
                key=['organization_id', 'square_customer_id'],
                newest='updated_at',
            ) }} as copy_number
        from {{ source('bookings', 'customers') }}
    ) as renamed
) as judged
