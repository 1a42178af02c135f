{{ config(
    unique_key=['tenant_id', 'customer_id', 'valid_from'],
    indexes=[{'columns': ['tenant_id', 'valid_from', 'previous_status', 'status']}],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
