{{ config(materialized='view_in_place') }}

with customers as (
    select * from {{ ref('customer_alert_states') }}
),

tenants as (
    select * from {{ ref('tenant_alert_states') }}
),

final as (
    select * from customers
    union all
    select * from tenants
)

select * from final
