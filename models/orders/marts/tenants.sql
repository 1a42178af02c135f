{{ config(unique_key=['tenant_id']) }}

select * from {{ ref('int_tenants') }}
