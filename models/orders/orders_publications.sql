{{ config(materialized='publication') }}

{{ publish('orders', {
    'tenants': ref('int_tenants'),
    'sales_reps': ref('int_sales_reps'),
    'customer_risk_status': ref('int_customers__risk_status'),
    'customer_risk_status_history': ref('int_customers__risk_history'),
    'customer_order_days': ref('int_customers__order_days'),
    'closed_customer_order_days': ref('int_customers__closed_order_days'),
    'customer_account_types': ref('int_customers__account_type'),
    'customer_account_type_history': ref('int_customers__account_history'),
    'customer_recent_orders': ref('int_customers__recent_orders'),
    'customer_status_revisions': ref('int_customers__status_revisions'),
    'orders_quarantined_rows': ref('int_quarantined_rows__orders'),
}, after=[ref('int_unknown_keys__orders')]) }}
