{{ config(
    materialized='kept_table',
    unique_key=['tenant_id', 'valid_from'],
    full_refresh=false,
) }}

-- `customer-health fit-orders` writes its rows: see analyses/fit_orders.sql
select * from {{ this }}
