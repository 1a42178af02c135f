{{ config(
    unique_key=['organization_id', 'square_customer_id'],
    meta={
        'scope': 'int_booking_customers__scope',
        'scope_key': ['organization_id', 'square_customer_id'],
    },
) }}

select * from {{ ref('int_booking_customers__recent') }}
