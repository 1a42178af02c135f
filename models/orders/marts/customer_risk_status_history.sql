{{ config(
    unique_key=['tenant_id', 'customer_id', 'valid_from'],
    indexes=[{'columns': ['tenant_id', 'valid_from', 'previous_status', 'status']}],
    meta={
        'scope': 'int_customers__scope',
        'scope_key': ['tenant_id', 'customer_id'],
    },
) }}

select * from {{ ref('int_customers__risk_history') }}
