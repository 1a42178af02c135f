{{ config(
    unique_key=['tenant_id', 'customer_id', 'delivered_on'],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
