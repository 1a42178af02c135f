{{ config(unique_key=['tenant_id']) }}

{{ published_by(ref('orders_publications')) }}
