{{ config(
    unique_key=['tenant_id', 'customer_id'],
    indexes=[
        {'columns': ['tenant_id', 'account_type']},
        {'columns': ['valid_until']},
    ],
    meta={
        'scope': 'int_customers__scope',
        'scope_key': ['tenant_id', 'customer_id'],
    },
) }}

select * from {{ ref('int_customers__account_type') }}
