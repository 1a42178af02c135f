{{ config(
    unique_key=['tenant_id', 'customer_id'],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
