{{ config(
    unique_key=['tenant_id', 'customer_id', 'revised_at'],
    meta={'published': {'scope': 'int_customers__scope', 'only_grows': true}},
) }}

{{ published_by(ref('orders_publications')) }}
