{{ config(
    materialized='kept_table',
    unique_key=['tenant_id', 'valid_from'],
    full_refresh=false,
) }}

-- `customer-health fit-orders` writes its rows: see macros/forecasts/fit_model.sql
select * from {{ this }}
