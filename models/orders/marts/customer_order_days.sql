{{ config(
    unique_key=['tenant_id', 'customer_id', 'delivered_on'],
    indexes=[{'columns': ['tenant_id', 'next_delivered_on']}],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
