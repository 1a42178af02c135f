{{ config(unique_key=['tenant_id', 'sales_rep_id']) }}

{{ published_by(ref('orders_publications')) }}
