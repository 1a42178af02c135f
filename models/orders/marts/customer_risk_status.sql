{{ config(
    unique_key=['tenant_id', 'customer_id'],
    indexes=[
        {'columns': ['tenant_id', 'next_expected_order_date']},
        {'columns': ['tenant_id', 'last_order_date']},
        {'columns': ['tenant_id', 'risk_status', 'currency', 'revenue_at_risk']},
        {'columns': ['valid_until']},
    ],
    meta={'published': {'scope': 'int_customers__scope'}},
) }}

{{ published_by(ref('orders_publications')) }}
