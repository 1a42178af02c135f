{{ config(
    unique_key=['tenant_id', 'customer_id', 'delivered_on'],
    indexes=[{
        'columns': ['tenant_id', 'customer_id'],
        'include': [
            'order_day_number', 'total_cents', 'currency', 'has_mixed_currency'
        ],
        'where_null': 'next_delivered_on',
    }],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
