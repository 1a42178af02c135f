{{ config(
    unique_key=['tenant_id', 'customer_id'],
    meta={
        'scope': 'int_customers__scope',
        'scope_key': ['tenant_id', 'customer_id'],
    },
) }}

select * from {{ ref('int_customers__recent_orders') }}
