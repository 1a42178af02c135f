{{ config(materialized='publication') }}

{{ publish('orders', [
    ref('tenants'),
    ref('sales_reps'),
    ref('customer_risk_status'),
    ref('customer_risk_status_history'),
    ref('customer_account_types'),
    ref('customer_account_type_history'),
    ref('customer_recent_orders'),
    ref('orders_quarantined_rows'),
]) }}
